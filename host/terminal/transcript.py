"""A talk as a file: a JSON array of messages, each with role and content, as most programs that talk take them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["check_messages", "read_transcript", "write_transcript"]

_LARGEST = 64 << 20  # bytes


def read_transcript(path: str) -> list[dict[str, str]]:
    """The messages of a file that `write_transcript` wrote, or of an object that has them as `messages`; `OptionError`
    for anything else."""
    name = os.path.expanduser(path)
    with suppress(OSError, ValueError):
        if os.path.getsize(name) > _LARGEST:
            raise OptionError(f"cannot read {path}: it has more than {_LARGEST:,} bytes")
    try:
        data = json.loads(read_text_file(name))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is no talk: it is not JSON: {error}") from None
    if isinstance(data, dict):
        data = data.get("messages")
    try:
        return check_messages(data)
    except OptionError as error:
        raise OptionError(f"{path} is no talk: {error}") from None


def check_messages(data: object) -> list[dict[str, str]]:
    """Messages as a conversation has them: a system message or none, then user and assistant in turn, an answer last.
    `OptionError` for anything else."""
    if not isinstance(data, list):
        raise OptionError("expected a list of messages")
    messages = []
    for at, item in enumerate(data, 1):
        if not isinstance(item, dict) or set(item) != {"role", "content"} or not isinstance(item["content"], str):
            raise OptionError(f"message {at}: expected an object with role and content, both strings")
        first = bool(data) and isinstance(data[0], dict) and data[0].get("role") == "system"
        expected = "system" if first and at == 1 else ("user", "assistant")[(at - 1 - first) % 2]
        if item["role"] != expected:
            raise OptionError(f"message {at}: expected one of the {expected}, found one of {item['role']!r}")
        try:
            item["content"].encode()
        except UnicodeEncodeError:
            raise OptionError(f"message {at}: expected Unicode, found half a surrogate pair") from None
        messages.append({"role": item["role"], "content": item["content"]})
    if messages and messages[-1]["role"] == "user":
        raise OptionError("the last question has no answer")
    return messages


def write_transcript(path: str, messages: Sequence[dict[str, str]]) -> None:
    """Write the file, whole or not at all; one that was there is replaced. `OptionError` where that fails."""
    text = json.dumps(messages, indent=1, ensure_ascii=False) + "\n"
    partial = None
    try:
        target = Path(os.path.realpath(os.path.expanduser(path)))  # where a link points
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if target.exists() and not target.is_file():  # a pipe or a device
            target.write_text(text, encoding="utf-8")
            return
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".talk.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(partial, target.stat().st_mode & 0o777 if target.exists() else _new_file_mode())
        os.replace(partial, target)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if partial:
            with suppress(OSError):
                os.unlink(partial)
        raise OptionError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _new_file_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
