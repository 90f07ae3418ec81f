"""What templates and texts get of a request's messages and prompts."""

from types import SimpleNamespace

import pytest

from host.server.api_error import ApiError
from host.server.prompts import chat_prompt, completion_prompts

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


class Template:
    """Keeps what it was given."""

    chat = SimpleNamespace(framed=False)

    def render(self, messages, tools):
        self.given = messages, tools
        return "".join(message["content"] for message in messages)


def served(template=None, context=20):
    text = SimpleNamespace(prompt=lambda text: [0, *map(ord, text)], encode=lambda text, special: list(map(ord, text)))
    return SimpleNamespace(template=template, text=text, session=SimpleNamespace(context=context))


def test_messages_as_templates_take_them():
    template, tools = Template(), [{"type": "function", "function": {"name": "f"}}]
    messages = [{"role": "developer", "content": "a"},
                {"role": "user", "content": [{"type": "text", "text": text} for text in "bc"], "name": "x"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "d", "tool_call_id": "1", "other": 1}]
    assert chat_prompt(served(template), messages, tools) == list(map(ord, "abcd"))
    parsed = {**CALL, "function": {"name": "f", "arguments": {"a": 1}}}
    assert template.given == ([{"role": "system", "content": "a"}, {"role": "user", "content": "bc", "name": "x"},
                               {"role": "assistant", "content": "", "tool_calls": [parsed]},
                               {"role": "tool", "content": "d", "tool_call_id": "1"}], tools)


@pytest.mark.parametrize("arguments", ["no JSON", "[1]", "[" * 100_000])
def test_arguments_that_are_no_object_stay_as_they_are(arguments):
    template = Template()
    call = {"function": {"name": "f", "arguments": arguments}}
    chat_prompt(served(template), [{"role": "assistant", "tool_calls": [call]}])
    assert template.given[0][0]["tool_calls"] == [call]


def test_without_a_template_each_message_of_the_user_is_a_line():
    messages = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c"))]
    assert chat_prompt(served(), messages) == [0, *map(ord, "ab\nc")]
    with pytest.raises(ApiError, match="there are no tool messages"):
        chat_prompt(served(), [{"role": "tool", "content": "a"}])


def test_prompts_of_all_kinds():
    for prompt in ("ab", ["ab"], [0, 97, 98], [[0, 97.0, 98]]):
        assert completion_prompts(served(), prompt) == [[0, 97, 98]]
    assert completion_prompts(served(), ["a", "b"]) == [[0, 97], [0, 98]]
    with pytest.raises(ApiError, match="22 tokens of prompt exceed the context of 20"):
        completion_prompts(served(), "a" * 21)
