"""What a converted model folder keeps of a tokenizer: `tokenizer.json` and, where there is a template, `chat.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from models.errors import ModelError

__all__ = ["Around", "ChatFormat", "TextParts"]


@dataclass(frozen=True)
class ChatFormat:
    """How messages become one text: a Jinja template and the tokens it may name ("" where there is none).

    framed: what goes around a prompt goes around this text too, as llama.cpp has it; otherwise the text is the whole
    prompt, as transformers has it.
    """

    template: str
    bos_token: str
    eos_token: str
    framed: bool = False

    def to_json(self) -> dict[str, object]:
        """The object of `chat.json`."""
        return {name: value for name, value in asdict(self).items() if value is not False}

    @classmethod
    def from_json(cls, data: object) -> ChatFormat:
        """Back from `to_json`; `ModelError` for anything else."""
        names = ("template", "bos_token", "eos_token")
        if (not isinstance(data, dict) or set(data) - {"framed"} != set(names)
                or not all(isinstance(data[name], str) for name in names)
                or not isinstance(data.get("framed", False), bool)):
            found = f"an object with {', '.join(data)}" if isinstance(data, dict) else type(data).__name__
            raise ModelError(f"expected an object with the strings {', '.join(names)}, found {found[:80]}")
        return cls(**data)


@dataclass(frozen=True)
class Around:
    """Ids before and after every whole prompt."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def to_json(self) -> dict[str, list[int]]:
        """The object `prompt` of `model.json`."""
        return {name: list(ids) for name, ids in asdict(self).items()}

    @classmethod
    def from_json(cls, data: object, vocab_size: int) -> Around:
        """Back from `to_json`; `ModelError` for anything else, or an id that the model lacks."""
        if not isinstance(data, dict) or set(data) != {"before", "after"} or not all(
                isinstance(ids, list) and all(type(index) is int and 0 <= index < vocab_size for index in ids)
                for ids in data.values()):
            raise ModelError(f"prompt: expected lists before and after of ids below {vocab_size}, found something else")
        return cls(**{name: tuple(ids) for name, ids in data.items()})


@dataclass(frozen=True)
class TextParts:
    """tokenizer: the contents of a `tokenizer.json`; chat: how to talk to the model, None where nothing says so.

    around: what goes around prompts, None where nobody decided: the config's `bos_id` before them. ends: ids that end a
    text or a turn; notes: what the reader had to leave out; magic: control tokens by name (`control_tokens`).
    """

    tokenizer: str
    chat: ChatFormat | None = None
    around: Around | None = None
    ends: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    magic: Mapping[str, int] = field(default_factory=dict)
