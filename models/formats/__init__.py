"""Readers of other people's checkpoints, all giving the same `FloatModel`."""

from pathlib import Path

from models.errors import ModelError
from models.formats.huggingface import read_huggingface
from models.formats.source import FloatModel

__all__ = ["read_checkpoint"]


def read_checkpoint(path: Path) -> FloatModel:
    """Open a Hugging Face folder; `ModelError` says why something else is refused.

    Layers are read when they are asked for, so errors in them come then.
    """
    if path.is_dir():
        if (path / "model.json").exists() and not (path / "config.json").exists():
            raise ModelError(f"{path} is already in this project's format")
        return read_huggingface(path)
    if not path.exists():
        raise ModelError(f"no checkpoint at {path}")
    if path.suffix == ".gguf":
        raise ModelError(f"{path}: GGUF files are not supported; expected a Hugging Face folder")
    raise ModelError(f"{path}: expected a Hugging Face folder, found a file")
