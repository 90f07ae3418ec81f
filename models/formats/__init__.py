"""Readers of other people's checkpoints, all giving the same `FloatModel`."""

from dataclasses import replace
from pathlib import Path

from models.errors import ModelError
from models.file_kind import GGUF_MAGIC, JSON, SAFETENSORS, file_kind, first_bytes
from models.formats.gguf_model import read_gguf
from models.formats.huggingface import read_huggingface
from models.formats.source import FloatModel
from models.vocabulary.template_ends import template_ends

__all__ = ["read_checkpoint"]


def read_checkpoint(path: Path, *, activation: str | None = None) -> FloatModel:
    """Open a Hugging Face folder or a GGUF file, whatever its name; `ModelError` says why something else is refused.

    Layers and rows are read when they are asked for, so errors in them come then. activation: "relu2" or "silu"
    for a GGUF file that does not tell.
    """
    if path.is_dir():
        if activation is not None:
            raise ModelError(f"{path}: --activation is for GGUF files; config.json says what the model has")
        _check_folder(path)
        return _with_text(_with_card(read_huggingface(path)))
    if path.is_symlink() and not path.exists():
        raise ModelError(f"{path} is a link to {path.readlink()}, which is not there")
    if not path.exists():
        raise ModelError(f"no checkpoint at {path}")
    if not path.is_file():
        raise ModelError(f"{path}: expected a Hugging Face folder or a GGUF file, found neither file nor folder")
    if not first_bytes(path).startswith(GGUF_MAGIC):
        raise ModelError(f"{path}: expected a Hugging Face folder or a GGUF file, found {_what_it_is(path)}")
    return _with_text(_with_card(read_gguf(path, activation=activation)))


def _with_card(model: FloatModel) -> FloatModel:
    """With the licence, and what is to be said of the card, in the provenance."""
    found = {"license": model.card.license, "notes": list(model.card.notes)}
    return replace(model, provenance=model.provenance | {name: value for name, value in found.items() if value})


def _with_text(model: FloatModel) -> FloatModel:
    """With the tokenizer's and the chat template's ends beside the config's."""
    if model.text is None:
        return model
    ends, trouble = template_ends(model.text.chat, model.text.tokenizer)
    ends = tuple(dict.fromkeys((*model.config.eos_ids, *model.text.ends, *ends)))
    said = [*model.card.notes, *model.text.notes, *trouble]
    notes = {"notes": said} if said else {}
    return replace(model, config=replace(model.config, eos_ids=ends), provenance=model.provenance | notes)


def _check_folder(path: Path) -> None:
    """`ModelError` for a folder that is known not to be a Hugging Face model's."""
    if (path / "config.json").exists():
        return
    if (path / "model.json").exists():
        raise ModelError(f"{path} is already in this project's format")
    if (path / "snapshots").is_dir() and (snapshots := sorted((path / "snapshots").iterdir())):
        raise ModelError(f"{path}: expected a Hugging Face folder; it is a cache of them: give {snapshots[-1]}")
    if files := sorted(path.glob("*.gguf")):
        raise ModelError(f"{path}: expected a Hugging Face folder; it holds {files[0].name}: give that file")


def _what_it_is(path: Path) -> str:
    kind = file_kind(path) or "a file of another kind"
    part_of_a_folder = kind in (JSON, SAFETENSORS)
    return f"{kind}: give the folder that holds it beside config.json" if part_of_a_folder else kind
