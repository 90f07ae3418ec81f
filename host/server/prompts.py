"""What a request gives the model to read: ids of texts, or of messages through the model's template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from host.server.api_error import ApiError, refused
from host.server.served import Served

__all__ = ["chat_prompt", "checked_length", "completion_prompts"]


def completion_prompts(served: Served, prompt: str | Sequence[Any]) -> list[list[int]]:
    """Ids of each prompt: of a text, of texts, of ids or of lists of ids, which are taken as they are."""
    if isinstance(prompt, str):
        given: list[Any] = [prompt]
    elif isinstance(prompt[0], (str, list)):
        given = list(prompt)
    else:
        given = [prompt]
    with refused(400, param="prompt"):
        return [checked_length(served, served.text.prompt(item) if isinstance(item, str) else list(map(int, item)),
                               "prompt") for item in given]


def chat_prompt(served: Served, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
                ) -> list[int]:
    """Ids up to the answer. A model without a template goes on with plain text, as `host.conversation` has it."""
    plain = [_plain(message) for message in messages]
    with refused(422, param="messages"):
        if served.template:
            whole = served.template.render(plain, tools=tools)
            framed = served.template.chat.framed
            ids = served.text.prompt(whole) if framed else served.text.encode(whole, special=True)
        else:
            ids = served.text.prompt(_as_text(plain))
    return checked_length(served, ids, "messages")


def checked_length(served: Served, ids: list[int], param: str) -> list[int]:
    """The ids; `ApiError` where the context has no room for them."""
    if len(ids) > served.session.context:
        raise ApiError(400, f"{len(ids)} tokens of prompt exceed the context of {served.session.context}", param=param,
                       code="context_length_exceeded")
    return ids


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as templates take it: its text in one piece, `developer` called `system`."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part["text"] for part in content)
    role = "system" if message["role"] == "developer" else message["role"]
    rest = {name: message[name] for name in ("name", "tool_call_id") if message.get(name) is not None}
    if calls := message.get("tool_calls"):
        rest["tool_calls"] = [{**call, "function": {**call["function"], "arguments": _arguments(call)}}
                              for call in calls]
    return {"role": role, "content": content or "", **rest}


def _arguments(call: Mapping[str, Any]) -> object:
    """The arguments of a call as an object, which is what templates write as JSON; as they are where they are none."""
    written = call["function"]["arguments"]
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        return written
    return found if isinstance(found, dict) else written


def _as_text(messages: Sequence[Mapping[str, Any]]) -> str:
    text = ""
    for message in messages:
        role, content = message["role"], message["content"]
        if role not in ("user", "assistant"):
            raise ApiError(422, f"the model has no chat template: there are no {role} messages", param="messages",
                           code="no_template")
        new_line = role == "user" and content and text and not text.endswith("\n")
        text += "\n" * bool(new_line) + content
    return text
