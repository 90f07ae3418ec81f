"""Calls of tools in what models say, in the three forms that templates teach."""

import json
from types import SimpleNamespace

import pytest

from host.server.api_error import ApiError
from host.server.tool_calls import call_schema, called_tools, found_calls, known_form

HERMES, MISTRAL, LLAMA, OTHER = (SimpleNamespace(chat=SimpleNamespace(template=f"{{{{ tools }}}} {mark}")) for mark in (
    "<tool_call>", "[TOOL_CALLS]", '{"name": "f", "parameters": {}}', "call it as you like"))
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
         {"type": "function", "function": {"name": "g"}}]


def found(template, text):
    said = found_calls(text, ["f", "g"], known_form(template))
    return said.content, [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in said.calls]


@pytest.mark.parametrize(("template", "text", "content", "calls"), [
    (HERMES, 'Well. <tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>', "Well.", [("f", {"a": 1})]),
    (HERMES, '<tool_call>{"name": "f"}</tool_call><tool_call>{"name": "g", "arguments": {}}', None,
     [("f", {}), ("g", {})]),
    (MISTRAL, '[{"name": "f", "arguments": {"a": [1]}}]', None, [("f", {"a": [1]})]),
    (MISTRAL, '[TOOL_CALLS][{"name": "f", "arguments": {}}]', None, [("f", {})]),
    (LLAMA, ' {"name": "g", "parameters": {"a": "é"}} ', None, [("g", {"a": "é"})]),
])
def test_calls_are_found(template, text, content, calls):
    assert found(template, text) == (content, calls)


@pytest.mark.parametrize(("template", "text"), [
    (HERMES, "no call"), (HERMES, "<tool_call>not JSON</tool_call>"), (HERMES, '{"name": "f", "arguments": {}}'),
    (HERMES, '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>'), (LLAMA, '{"name": "f", "parameters": 1}'),
    (LLAMA, '{"name": 1}'), (LLAMA, "[" * 100_000), (LLAMA, "7"), (LLAMA, "[]"), (LLAMA, ""),
    (OTHER, '<tool_call>{"name": "f", "arguments": {}}</tool_call>')])
def test_all_else_is_text(template, text):
    assert found(template, text) == (text, [])


def test_which_tools_the_template_gets_and_which_must_be_called():
    assert called_tools({}, None) == called_tools({"tools": [], "tool_choice": "auto"}, None) == ([], [])
    assert called_tools({"tools": TOOLS, "tool_choice": "none"}, None) == ([], [])
    assert called_tools({"tools": TOOLS}, OTHER) == (TOOLS, [])
    assert called_tools({"tools": TOOLS, "tool_choice": "required"}, HERMES) == (TOOLS, ["f", "g"])
    named = {"type": "function", "function": {"name": "g"}}
    assert called_tools({"tools": TOOLS, "tool_choice": named}, LLAMA) == (TOOLS, ["g"])


@pytest.mark.parametrize(("fields", "template", "status", "message"), [
    ({"tools": TOOLS}, None, 422, "the model's chat template has no place for tools"),
    ({"tools": TOOLS, "tool_choice": "required"}, OTHER, 422, "in a form that is not known here"),
    ({"tool_choice": "required"}, HERMES, 400, "asks for a tool that is not among none"),
    ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "h"}}}, HERMES, 400, "not among f, g")])
def test_what_cannot_be_asked_for(fields, template, status, message):
    with pytest.raises(ApiError, match=message) as caught:
        called_tools(fields, template)
    assert caught.value.status == status


def test_the_schema_of_a_call_names_the_tool_and_its_parameters():
    one = call_schema(TOOLS, ["f"], known_form(LLAMA))
    assert one["properties"] == {"name": {"const": "f"}, "parameters": {"type": "object"}}
    assert len(call_schema(TOOLS, ["f", "g"], known_form(HERMES))["anyOf"]) == 2
