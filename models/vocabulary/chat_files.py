"""The chat template of a Hugging Face folder, in the order in which transformers looks for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.errors import ModelError
from models.json_file import read_optional, read_text
from models.vocabulary.declared import Declared
from models.vocabulary.parts import ChatFormat

__all__ = ["read_chat"]


def read_chat(folder: Path, declared: Declared) -> ChatFormat | None:
    """`chat_template.jinja`, `chat_template.json` or `tokenizer_config.json`; None where none has a template."""
    template = _template(folder, declared.config)
    if template is None or not template.strip():
        return None
    return ChatFormat(template, *(declared.roles.get(role, "") for role in ("bos", "eos")))


def _template(folder: Path, config: Mapping) -> str | None:
    if (folder / "chat_template.jinja").exists():
        return read_text(folder / "chat_template.jinja")
    for path, data in ((folder / "chat_template.json", read_optional(folder / "chat_template.json")),
                       (folder / "tokenizer_config.json", config)):
        found = data.get("chat_template")
        if isinstance(found, list):  # named ones
            found = {str(item.get("name")): item.get("template") for item in found if isinstance(item, dict)}
        if isinstance(found, dict):
            found = found.get("default")
        if found is not None and not isinstance(found, str):
            raise ModelError(f"{path}: chat_template: expected a string, found {type(found).__name__}")
        if found is not None:
            return found
    return None
