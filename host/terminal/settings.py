"""What /set changes in mid-talk: how tokens are chosen, where answers end, how strong stages are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from host.conversation import Conversation
from host.sampler import Sampler
from host.stage_options import Chosen
from host.stop_strings import StopStrings, stop_ids
from models.errors import OptionError, printable

__all__ = ["SETTINGS", "Settings"]

_SAMPLING: dict[str, Callable[[str], Any]] = {
    "temperature": float, "top-k": int, "top-p": float, "min-p": float, "repeat-penalty": float, "repeat-last": int,
    "seed": int}
SETTINGS = (*_SAMPLING, "n", "stop", "stage")
"""The names that /set takes."""
_NONE = ("", "none", "off")


class Settings:
    """sampler: of the next answers. count: new tokens of an answer at most, None for what the context has room for;
    `plain_count` stands for None where the model has no chat template. stops: what ends an answer."""

    def __init__(self, conversation: Conversation, sampler: Callable, chosen: Chosen, count: int | None,
                 stops: list[str], plain_count: int):
        stop_ids(stops, conversation.text)
        self.sampler, self.chosen, self.stops = sampler, chosen, stops
        self._conversation, self._plain = conversation, None if conversation.template else plain_count
        self.count = count or self._plain

    def change(self, name: str, value: str) -> None:
        """Give a setting another value; `OptionError` for a name or a value that makes no sense."""
        if name in _SAMPLING:
            self._sampling(name, value)
        elif name == "n":
            self.count = self._plain if value in _NONE else _number(name, value, int)
            if self.count is not None and self.count < 1:
                self.count, wrong = self._plain, self.count
                raise OptionError(f"n must be at least 1, got {wrong}")
        elif name == "stop":
            stops = [] if value in _NONE else [_text(value)]
            StopStrings(stops)
            stop_ids(stops, self._conversation.text)
            self.stops = stops
        elif name == "stage":
            self._stage(value)
        else:
            raise OptionError(f"there is no setting {name}: /set takes {', '.join(SETTINGS)}")

    def lines(self) -> Iterator[tuple[str, str]]:
        """Names and values."""
        for name in _SAMPLING:
            value = getattr(self.sampler, name.replace("-", "_"), None)
            yield name, f"{value:g}" if isinstance(value, float) else str(value)
        yield "n", "as the context allows" if self.count is None else str(self.count)
        yield "stop", ", ".join(json.dumps(stop, ensure_ascii=False) for stop in self.stops) or "none"
        yield from self.stage_lines()

    def stage_lines(self) -> Iterator[tuple[str, str]]:
        """The same of the stages."""
        for at, (name, stage) in enumerate(self.chosen.stages, 1):
            yield f"stage {at}", f"{printable(name)}, {stage.kind} by {stage.method}, strength {stage.strength:g}"

    def stage_names(self) -> list[str]:
        """What the stages are called in /set stage."""
        return [_stem(name) for name, _ in self.chosen.stages]

    def set_strength(self, index: int, strength: float) -> None:
        """Of the stage at `index`; `ArtefactError` where it makes no sense."""
        self.chosen = self.chosen.with_strength(index, strength, self._conversation.session.model)
        self._conversation.act(self.chosen)

    def _sampling(self, name: str, value: str) -> None:
        field, number = name.replace("-", "_"), _number(name, value, _SAMPLING[name])
        if not isinstance(self.sampler, Sampler) or field not in {item.name for item in fields(self.sampler)}:
            raise OptionError(f"this chat's sampler has no {name}")
        checked = replace(self.sampler, **{field: number})
        if field == "seed":
            self.sampler = checked
        else:  # the same one, so that its draws go on
            setattr(self.sampler, field, number)

    def _stage(self, value: str) -> None:
        if not self.chosen.stages:
            raise OptionError("there are no stages: start the chat with --stage")
        name, _, strength = value.rpartition(" ")
        name = name.strip()
        names = self.stage_names()
        numbers = [str(at) for at in range(1, len(names) + 1)]
        at = [index for index, known in enumerate(zip(names, numbers, strict=True)) if name in known]
        if not name:
            raise OptionError("/set stage takes a stage's name or number and a strength")
        if len(at) != 1:
            known = ", ".join(f"{number} {known}" for number, known in zip(numbers, names, strict=True))
            raise OptionError(f"{'several stages are' if at else 'there is no stage'} called {name}; there are {known}")
        self.set_strength(at[0], _number("the strength", strength, float))


def _stem(name: str) -> str:
    """Of ARTEFACT[:STRENGTH]: the file's name without folder and suffix."""
    path, colon, strength = name.rpartition(":")
    try:
        float(strength)
    except ValueError:
        path = name
    return Path(path if colon else name).stem


def _number(name: str, value: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(value)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise OptionError(f"{name} takes {whole}, got {value!r}") from None


def _text(value: str) -> str:
    """As typed, or in double quotes with JSON's escapes."""
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        raise OptionError(f"a text that begins with a quote must be a JSON string, got {value}") from None
