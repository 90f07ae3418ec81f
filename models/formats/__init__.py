"""Readers of other people's checkpoints, all giving the same `FloatModel`."""

from pathlib import Path

from models.errors import ModelError
from models.formats.gguf_model import read_gguf
from models.formats.huggingface import read_huggingface
from models.formats.source import FloatModel

__all__ = ["read_checkpoint"]


def read_checkpoint(path: Path, *, activation: str | None = None) -> FloatModel:
    """Open a Hugging Face folder or a GGUF file; `ModelError` says why something else is refused.

    Layers and rows are read when they are asked for, so errors in them come then. activation: "relu2" or "silu"
    for a GGUF file that does not tell.
    """
    if path.is_dir():
        if activation is not None:
            raise ModelError(f"{path}: --activation is for GGUF files; config.json says what the model has")
        if (path / "model.json").exists() and not (path / "config.json").exists():
            raise ModelError(f"{path} is already in this project's format")
        files = sorted(path.glob("*.gguf"))
        if files and not (path / "config.json").exists():
            raise ModelError(f"{path}: expected a Hugging Face folder; it holds {files[0].name}: give that file")
        return read_huggingface(path)
    if not path.exists():
        raise ModelError(f"no checkpoint at {path}")
    if path.suffix.lower() != ".gguf":
        raise ModelError(f"{path}: expected a Hugging Face folder or a .gguf file, found another file")
    return read_gguf(path, activation=activation)
