"""The six kinds of input that a stranger may give; each writes a case's files and says which commands run on them."""

from scripts.verify.fuzz.kinds.artefact import ArtefactKind
from scripts.verify.fuzz.kinds.gguf import GgufKind
from scripts.verify.fuzz.kinds.huggingface import HuggingFaceKind
from scripts.verify.fuzz.kinds.kind import Kind, Step
from scripts.verify.fuzz.kinds.own import OwnKind
from scripts.verify.fuzz.kinds.template import TemplateKind
from scripts.verify.fuzz.kinds.tokenizer import TokenizerKind

__all__ = ["KINDS", "Kind", "Step"]

KINDS: dict[str, type[Kind]] = {"gguf": GgufKind, "huggingface": HuggingFaceKind, "tokenizer": TokenizerKind,
                                "own": OwnKind, "artefact": ArtefactKind, "template": TemplateKind}
"""By the name that the command takes."""
