"""What a checkpoint's makers say of it besides its numbers: the licence, and how its text is best sampled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import ModelError
from models.generation import of_gguf, of_huggingface
from models.json_file import read_optional, read_text

__all__ = ["Card", "card_of_folder", "card_of_gguf"]

_FRONT = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)  # of a model card: YAML, of which one line is wanted
_LICENSE = re.compile(r"^license(_name)?:[ \t]*['\"]?([^'\"\n#]+)", re.MULTILINE)
_LONGEST = 80  # characters of a licence's name


@dataclass(frozen=True)
class Card:
    """license: its name or identifier, None where nothing says it; generation: `models.generation`; notes: in words."""

    license: str | None = None
    generation: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def card_of_folder(folder: Path) -> Card:
    """Of a Hugging Face folder: the front matter of `README.md`, else the first line of `LICENSE`;
    `generation_config.json`."""
    generation, notes = of_huggingface(read_optional(folder / "generation_config.json"))
    return Card(_stated_license(folder / "README.md") or _first_line(folder / "LICENSE"), generation, tuple(notes))


def card_of_gguf(fields: Mapping[str, object]) -> Card:
    """Of a GGUF file's metadata."""
    generation, notes = of_gguf(fields)
    return Card(_named(fields.get("general.license"), fields.get("general.license.name")), generation, tuple(notes))


def _stated_license(readme: Path) -> str | None:
    front = _FRONT.match(_text(readme))
    found = {bool(named): value for named, value in _LICENSE.findall(front[1])} if front else {}
    return _named(found.get(False), found.get(True))


def _first_line(path: Path) -> str | None:
    return _named(_text(path).strip().partition("\n")[0])


def _named(identifier: object, name: object = None) -> str | None:
    """A licence's identifier, or its name where it has none but "other"."""
    found = [" ".join(text.split())[:_LONGEST] for text in (identifier, name) if isinstance(text, str)]
    return next((text for text in found if text not in ("", "other")), None) or next(filter(None, found), None)


def _text(path: Path) -> str:
    """A file that nothing hangs on: empty where it is missing or no text."""
    try:
        return read_text(path) if path.is_file() else ""
    except ModelError:
        return ""
