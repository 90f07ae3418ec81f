"""How a model's makers would have its text sampled: defaults that a converted folder carries, and options override.

Names are those of `host.sampler.Sampler`: temperature (0 is greedy), top_k (0: all), top_p, min_p, repeat_penalty and
repeat_last (tokens back that it looks at, -1 for all).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeGuard

from models.errors import ModelError, located

__all__ = ["checked_generation", "of_gguf", "of_huggingface"]

_VALID: Mapping[str, Callable[[float], bool]] = {
    "temperature": lambda value: value >= 0, "top_k": lambda value: value >= 0, "top_p": lambda value: 0 < value <= 1,
    "min_p": lambda value: 0 <= value <= 1, "repeat_penalty": lambda value: value > 0,
    "repeat_last": lambda value: value >= -1}
_WHOLE = ("top_k", "repeat_last")
_LARGEST = 1e9  # of any of them: nothing means more

_HUGGINGFACE = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
                "repetition_penalty": "repeat_penalty"}
_GGUF = {"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p", "penalty_repeat":
         "repeat_penalty", "penalty_last_n": "repeat_last"}

Found = tuple[dict[str, float], list[str]]
"""Defaults by name, and what was left out, in words."""


def checked_generation(data: object) -> dict[str, float]:
    """The object `generation` of a `model.json`; `ModelError` for anything that no sampler takes."""
    if not isinstance(data, dict):
        raise ModelError(f"generation: expected an object, found {type(data).__name__}")
    for name, value in data.items():
        if name not in _VALID or not _fits(value, name):
            with located("generation"):
                raise ModelError(f"expected {', '.join(_VALID)} within their ranges, found {name} {str(value)[:80]}")
    return data


def of_huggingface(config: Mapping[str, object]) -> Found:
    """Of a `generation_config.json`: what it states. `do_sample: false` is a temperature of 0, as in transformers.

    There a repetition penalty looks at the whole text.
    """
    stated = {ours: config[theirs] for theirs, ours in _HUGGINGFACE.items() if config.get(theirs) is not None}
    if config.get("do_sample") is False:
        stated["temperature"] = 0.0
    kept, notes = _kept(stated)
    if kept.get("repeat_penalty", 1) != 1:
        kept["repeat_last"] = -1
    return kept, notes


def of_gguf(fields: Mapping[str, object]) -> Found:
    """Of the entries `general.sampling.*` of a GGUF file's metadata."""
    stated = {ours: fields[f"general.sampling.{theirs}"] for theirs, ours in _GGUF.items()
              if f"general.sampling.{theirs}" in fields}
    return _kept(stated)


def _kept(stated: Mapping[str, object]) -> Found:
    kept: dict[str, float] = {}
    notes: list[str] = []
    for name, value in stated.items():
        if isinstance(value, float) and name in _WHOLE and value.is_integer():
            value = int(value)
        if _fits(value, name):
            kept[name] = round(value, 6) if isinstance(value, float) else value  # 0.6, not float32's 0.60000002
        else:
            notes.append(f"the default {name} is left out: no sampler takes {str(value)[:80]}")
    return kept, notes


def _fits(value: object, name: str) -> TypeGuard[float]:
    kinds = int if name in _WHOLE else (int, float)
    return (isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= _LARGEST
            and _VALID[name](value))
