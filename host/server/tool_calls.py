"""Tools: which form of call a model's template teaches, and calls found in what the model said.

Three forms are known: `<tool_call>{"name", "arguments"}</tool_call>` (Hermes, Qwen), `[TOOL_CALLS]` with a list of such
objects (Mistral), and one bare object {"name", "parameters"} (Llama 3).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from host.chat_template import ChatTemplate
from host.server.api_error import ApiError

__all__ = ["Form", "Said", "call_schema", "called_tools", "found_calls", "known_form"]

_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)


class Form(NamedTuple):
    """Texts around a call, and the name of its arguments."""

    before: str
    after: str
    arguments: str


class Said(NamedTuple):
    """What was said beside calls, None for nothing, and the calls as OpenAI has them."""

    content: str | None
    calls: list[dict[str, Any]]


_FORMS = (("<tool_call>", Form("<tool_call>\n", "\n</tool_call>", "arguments")),
          ("[TOOL_CALLS]", Form("[", "]", "arguments")),
          ('"parameters"', Form("", "", "parameters")))


def known_form(template: ChatTemplate) -> Form | None:
    """The form of calls that a template teaches, None where it is none of those known."""
    return next((form for mark, form in _FORMS if mark in template.chat.template), None)


def called_tools(fields: Mapping[str, Any], template: ChatTemplate | None) -> tuple[list[dict[str, Any]], list[str]]:
    """The tools that a template is given, and the names of those of which one must be called: none need be.

    `ApiError` where the template has no place for tools, or a choice names none of them.
    """
    tools, choice = fields.get("tools") or [], fields.get("tool_choice", "auto")
    names = [tool["function"]["name"] for tool in tools]
    wanted = [choice["function"]["name"]] if isinstance(choice, dict) else names if choice == "required" else []
    if choice == "required" and not names or not set(wanted) <= set(names):
        raise ApiError(400, f"tool_choice asks for a tool that is not among {', '.join(names) or 'none'}",
                       param="tool_choice")
    if not tools or choice == "none":
        return [], []
    if template is None or "tools" not in template.chat.template:
        raise ApiError(422, "the model's chat template has no place for tools", param="tools", code="no_tools")
    if wanted and known_form(template) is None:
        raise ApiError(422, "the model's template writes calls in a form that is not known here: only tool_choice auto "
                            "is served", param="tool_choice", code="no_tools")
    return [dict(tool) for tool in tools], wanted


def call_schema(tools: Sequence[Mapping[str, Any]], wanted: Sequence[str], form: Form) -> dict[str, Any]:
    """JSON Schema of a call of one of the wanted tools."""
    calls = [{"type": "object", "additionalProperties": False, "required": ["name", form.arguments],
              "properties": {"name": {"const": tool["function"]["name"]},
                             form.arguments: tool["function"].get("parameters") or {"type": "object"}}}
             for tool in tools if tool["function"]["name"] in wanted]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def found_calls(text: str, names: Sequence[str], form: Form | None) -> Said:
    """Calls of tools of these names in an answer; all of it is content where one of them cannot be read."""
    if form is None:
        return Said(text, [])
    tagged = form.before.strip() == "<tool_call>"
    pieces = _TAGGED.findall(text) if tagged else [text.strip().removeprefix("[TOOL_CALLS]")]
    calls: list[Any] = []
    for piece in pieces:
        try:
            value = json.loads(piece)
        except (ValueError, RecursionError):
            return Said(text, [])
        calls += value if isinstance(value, list) else [value]
    if not calls or not all(_is_call(call, names, form) for call in calls):
        return Said(text, [])
    content = text.partition("<tool_call>")[0].strip() if tagged else ""
    return Said(content or None, [_as_openai(call, form) for call in calls])


def _is_call(call: object, names: Sequence[str], form: Form) -> bool:
    return (isinstance(call, dict) and isinstance(call.get("name"), str) and call["name"] in names
            and isinstance(call.get(form.arguments, {}), dict))


def _as_openai(call: Mapping[str, Any], form: Form) -> dict[str, Any]:
    arguments = json.dumps(call.get(form.arguments, {}), ensure_ascii=False)
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function",
            "function": {"name": call["name"], "arguments": arguments}}
