"""The chat template of a model folder, in its `chat.json`."""

from __future__ import annotations

from pathlib import Path

from models.errors import located
from models.json_file import read_object
from models.vocabulary.chat_template import LONGEST_TEMPLATE, ChatTemplate
from models.vocabulary.parts import ChatFormat

__all__ = ["LONGEST_TEMPLATE", "ChatTemplate", "load_chat_template"]


def load_chat_template(folder: Path) -> ChatTemplate | None:
    """The template of a model folder, ready to run; None where it has none."""
    path = folder / "chat.json"
    if not path.exists():
        return None
    data = read_object(path)
    with located(path):
        chat = ChatFormat.from_json(data)
    return ChatTemplate(chat, path)
