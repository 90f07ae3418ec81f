"""Small checkpoints of other people, to be named."""

import json
from pathlib import Path

from gguf.constants import GGMLQuantizationType as Kind

from models.config import ModelConfig
from tests.models.formats.folders import config_json, masters, tokenizer_json, write_folder
from tests.models.formats.gguf_files import GGUF, fields_of, tensors_of, write_gguf
from tests.models.small import SMALL

__all__ = ["TINY", "folder_source", "gguf_source"]

TINY = ModelConfig(**vars(GGUF) | {"name": "Tiny Talker", "vocab_size": 6, "ffn_size": 256, "layers": 1, "heads": 2,
                                   "kv_heads": 1, "head_dim": 128})
"""What the GGUF file holds."""


def gguf_source(path: Path, **fields: object) -> Path:
    """A GGUF file with three words; fields go by their last part, with _ for a point."""
    own = {f"general.{name.replace('_', '.')}": value for name, value in fields.items()}
    words = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a", "b", "ab"],
             "tokenizer.ggml.merges": ["a b"]}
    return write_gguf(path, fields_of(TINY, "bitnet") | words | own, tensors_of(masters(TINY), TINY, Kind.TQ2_0))


def folder_source(path: Path, **generation: object) -> Path:
    """A Hugging Face folder with one word."""
    folder = write_folder(path, config_json(SMALL), masters(SMALL))
    (folder / "tokenizer.json").write_text(tokenizer_json({"a": 0}))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder
