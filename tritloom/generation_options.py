"""How text is generated, by the commands' names for it or by those of Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from host.sampler import TEMPERATURE, TOP_P, Sampler
from host.speculation import PromptLookup
from models.errors import OptionError

__all__ = ["ALIASES", "GenerationOptions"]

ALIASES: Mapping[str, str] = {
    "max_new_tokens": "n", "max_tokens": "n", "repetition_penalty": "repeat_penalty", "stop_strings": "stop",
    "prompt_lookup_num_tokens": "speculate"}
"""Names of transformers and of the OpenAI client, and ours."""


@dataclass(frozen=True)
class GenerationOptions:
    """Defaults and meanings are those of `tritloom generate --help`: n new tokens at most, None for as far as the
    context goes; `host.sampler.Sampler` says what the filters do; stop ends the text before any of these strings;
    speculate: so many drafts a pass, the same tokens in fewer passes; magic: the name of a control token."""

    n: int | None = 100
    temperature: float = TEMPERATURE
    top_k: int = 0
    top_p: float = TOP_P
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last: int = 64
    seed: int | None = 0
    stop: str | Sequence[str] = ()
    speculate: int | None = None
    magic: str | None = None

    def changed(self, given: Mapping[str, object]) -> GenerationOptions:
        """With options by name or alias, where `do_sample=False` is a temperature of 0, and `do_sample=True` none of 0.

        `OptionError` for an unknown name, one that is given twice, or a value out of range.
        """
        known, values = {field.name for field in fields(self)}, dict(given)
        sample = values.pop("do_sample", None)
        if sample is not None and not sample and values.setdefault("temperature", 0.0) != 0:
            raise OptionError("do_sample=False is a temperature of 0: give one of them")
        if sample and self.temperature == 0:
            values.setdefault("temperature", TEMPERATURE)
        named: dict[str, object] = {}
        for name, value in values.items():
            own = ALIASES.get(name, name)
            if own not in known:
                raise OptionError(f"unknown option {name}; known: {', '.join([*sorted(known), 'do_sample', *ALIASES])}")
            if own in named:
                raise OptionError(f"{name} is {own}: give one of them")
            named[own] = value
        changed = replace(self, **named)  # type: ignore[arg-type]  # what a sampler refuses is told there
        changed.sampler()
        return changed

    def sampler(self) -> Sampler:
        """A new one: it remembers what it drew."""
        return Sampler(self.temperature, self.top_k, self.top_p, self.seed, self.min_p, self.repeat_penalty,
                       self.repeat_last)

    def drafts(self) -> PromptLookup | None:
        """A new source of drafts, None for none."""
        return None if self.speculate is None else PromptLookup(self.speculate)

    def stops(self) -> list[str]:
        """Those strings, one alone among them."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop)
