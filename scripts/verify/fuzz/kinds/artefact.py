"""Artefacts of sparsity and steering for a model that is right."""

from __future__ import annotations

from pathlib import Path
from random import Random

import host.pipeline.__main__ as pipeline
from models.command import run_command
from scripts.verify.fuzz.damage.safetensors import damage_tensors, parse_tensors
from scripts.verify.fuzz.kinds.folder import write_folder
from scripts.verify.fuzz.kinds.kind import Kind, Step
from scripts.verify.fuzz.kinds.own import own_files

__all__ = ["ArtefactKind"]

_TEXTS = {"toward": "Then the one and the other. " * 20, "away": "AND THE LORD SAID UNTO MOSES: " * 20}
_STRENGTHS = ("", ":0.5", ":0", ":-1", ":1e-322", ":1e308", ":nan", ":inf", ":-inf", ":1e400", ":x", ":", "::1", ":0x1",
              ":1_0", ":\N{ARABIC-INDIC DIGIT ONE}", ":" + "9" * 400)


class ArtefactKind(Kind):
    """One artefact damaged, or a strength that makes no sense."""

    def __init__(self, folder: Path):
        self._model = own_files(folder, "packed")
        for name, text in _TEXTS.items():
            (folder / name).write_text(text)
        model, paths = str(folder / "packed"), {name: str(folder / name) for name in ("sparsity", "steering", *_TEXTS)}
        for kind, method, *given in (
                ("sparsity", "teal", "--text", paths["toward"]),
                ("steering", "difference-of-means", "--toward", paths["toward"], "--away", paths["away"])):
            run_command(pipeline.main, ["fit", "--kind", kind, "--method", method, "--model", model, *given, "--tokens",
                                        "64", "-o", paths[kind]])
        self._files = {name: parse_tensors((folder / name).read_bytes()) for name in ("sparsity", "steering")}

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        write_folder(folder / "model", self._model, rng, damaged=False)
        options: list[str] = []
        for kind in rng.choice((["sparsity"], ["steering"], ["steering"], ["sparsity", "steering"])):
            file = f"{kind}.safetensors"
            whole = rng.random() < 0.1 or not damaged
            data = self._files[kind].to_bytes() if whole else damage_tensors(self._files[kind], rng)
            (folder / file).write_bytes(data)
            strength = rng.choice(_STRENGTHS if damaged else _STRENGTHS[:2]) if kind == "steering" else ""
            options += ["--stage", file + strength]
        return [Step("host.generate", ("--model", "model", "--ids", "5,6,7", "-n", "2", "--threads", "1", "--json",
                                       *options))]
