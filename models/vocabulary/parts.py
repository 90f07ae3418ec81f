"""What a converted model folder keeps of a tokenizer: `tokenizer.json` and, where there is a template, `chat.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from models.errors import ModelError

__all__ = ["ChatFormat", "TextParts"]


@dataclass(frozen=True)
class ChatFormat:
    """How messages become one text: a Jinja template and the tokens it may name ("" where there is none)."""

    template: str
    bos_token: str
    eos_token: str

    def to_json(self) -> dict[str, str]:
        """The object of `chat.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> ChatFormat:
        """Back from `to_json`; `ModelError` for anything else."""
        names = ("template", "bos_token", "eos_token")
        if not isinstance(data, dict) or set(data) != set(names) or not all(isinstance(data[n], str) for n in names):
            raise ModelError(f"expected an object with the strings {', '.join(names)}, found {json.dumps(data)[:80]}")
        return cls(**data)


@dataclass(frozen=True)
class TextParts:
    """tokenizer: the contents of a `tokenizer.json`; chat: how to talk to the model, None where nothing says so."""

    tokenizer: str
    chat: ChatFormat | None = None
