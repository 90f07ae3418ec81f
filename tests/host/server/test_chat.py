"""Chats as the `openai` client asks for them, with a template and without; tools; JSON; what is kept in the cache."""

import json

import openai
import pytest

from tests.host.server.serving import serving
from tests.host.test_conversation import models  # noqa: F401  a fixture

ASKED = [{"role": "user", "content": "It was a truth"}]
CITY = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Bath", "York"]}}, "required": ["city"],
    "additionalProperties": False}}}
ANSWER = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {
    "type": "object", "properties": {"count": {"type": "integer", "maximum": 99, "minimum": 0},
                                     "names": {"type": "array", "maxItems": 2, "items": {"enum": ["a", "b"]}}},
    "required": ["count", "names"], "additionalProperties": False}}}


def chats(running):
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0).chat.completions


@pytest.fixture(scope="module")
def client(demo):
    return chats(demo)


@pytest.fixture(scope="module")
def templated(models, tmp_path_factory):  # noqa: F811
    """A random model whose template has a place for tools, in the form of Hermes."""
    folder = models["ChatML"]
    written = json.loads((folder / "chat.json").read_text())
    written["template"] = ("{% if tools %}<|im_start|>tools\n{{ tools[0].function.name }}, in <tool_call>"
                           "<|im_end|>\n{% endif %}" + written["template"])
    (folder / "chat.json").write_text(json.dumps(written))
    with serving("--model", folder, "--alias", "small", "--sequences", 2) as running:
        yield running


def test_without_a_template_the_text_goes_on(client):
    whole = client.create(model="demo", messages=ASKED, max_completion_tokens=12, temperature=0)
    message = whole.choices[0].message
    assert message.role == "assistant" and message.content == " to be the first day of the first day.\nFor"
    assert whole.choices[0].finish_reason == "length" and whole.usage.total_tokens == 17
    pieces = list(client.create(model="demo", messages=ASKED, max_tokens=12, temperature=0, stream=True,
                                stream_options={"include_usage": True}))
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces[:-1]) == message.content
    assert pieces[-2].choices[0].finish_reason == "length" and pieces[-1].usage.completion_tokens == 12
    with pytest.raises(openai.UnprocessableEntityError, match="no chat template: there are no system messages"):
        client.create(model="demo", messages=[{"role": "system", "content": "x"}, *ASKED])


def test_a_conversation_finds_its_start_in_the_cache(templated):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
        {"type": "text", "text": "well"}, {"type": "text", "text": " then"}]}]
    first = chats(templated).create(model="small", messages=messages, max_tokens=9, seed=1)
    said = first.choices[0].message.content
    messages += [{"role": "assistant", "content": said}, {"role": "user", "content": "and?"}]
    other = chats(templated).create(model="small", messages=ASKED, max_tokens=2, seed=1)
    second = chats(templated).create(model="small", messages=messages, max_tokens=2, seed=1)
    prompt = first.usage.prompt_tokens
    assert first.usage.prompt_tokens_details.cached_tokens == 0 == other.usage.prompt_tokens_details.cached_tokens
    assert prompt <= second.usage.prompt_tokens_details.cached_tokens < second.usage.prompt_tokens


def test_answers_of_one_request_differ_by_seed(client):
    asked = dict(model="demo", messages=ASKED, max_tokens=8, temperature=1)
    three = client.create(**asked, n=3, seed=7)
    alone = [client.create(**asked, seed=seed).choices[0].message.content for seed in (7, 8, 9)]
    assert [choice.message.content for choice in three.choices] == alone and len(set(alone)) == 3
    streamed = ["", "", ""]
    for piece in client.create(**asked, n=3, seed=7, stream=True):
        streamed[piece.choices[0].index] += piece.choices[0].delta.content or ""
    assert streamed == alone


def test_logprobs_of_each_token(client):
    asked = dict(model="demo", messages=ASKED, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3)
    choice = client.create(**asked).choices[0]
    entries = choice.logprobs.content
    assert "".join(entry.token for entry in entries) == choice.message.content and len(entries) == 4
    for entry in entries:
        assert entry.bytes == list(entry.token.encode()) and len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token and entry.top_logprobs[0].logprob == entry.logprob < 0
    pieces = [piece.choices[0].logprobs for piece in client.create(**asked, stream=True)]
    assert [entry for piece in pieces if piece for entry in piece.content] == entries


def test_json_of_a_schema_whatever_the_model_would_rather_say(client, templated):
    for create, name in ((client.create, "demo"), (chats(templated).create, "small")):
        for seed in range(3):
            choice = create(model=name, messages=ASKED, temperature=1, seed=seed, max_tokens=60,
                            response_format=ANSWER).choices[0]
            said = json.loads(choice.message.content)
            assert set(said) == {"count", "names"} and 0 <= said["count"] <= 99 and choice.finish_reason == "stop"
    free = client.create(model="demo", messages=ASKED, temperature=0, max_tokens=40,
                         response_format={"type": "json_object"}, logit_bias={"0": 1}).choices[0]
    assert free.message.content.startswith("{")


def test_json_in_a_stream_with_drafts(client, templated):
    for create, name in ((client.create, "demo"), (chats(templated).create, "small")):
        asked = dict(model=name, messages=ASKED, temperature=1, seed=1, max_tokens=60, response_format=ANSWER)
        pieces = create(**asked, stream=True, extra_body={"speculate": 4})
        streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        assert streamed == create(**asked).choices[0].message.content  # spaces inside are kept
        assert set(json.loads(streamed)) == {"count", "names"}


def test_a_tool_is_called_in_the_template_s_form(templated):
    asked = dict(model="small", messages=ASKED, tools=[CITY], max_tokens=120, seed=2)
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        answer = chats(templated).create(**asked, tool_choice=choice).choices[0]
        call, = answer.message.tool_calls
        assert answer.finish_reason == "tool_calls" and answer.message.content is None
        assert call.function.name == "weather"
        assert json.loads(call.function.arguments)["city"] in ("Bath", "York")
    pieces = list(chats(templated).create(**asked, tool_choice="required", stream=True))
    calls = [found for piece in pieces for found in piece.choices[0].delta.tool_calls or ()]
    assert len(calls) == 1 and json.loads(calls[0].function.arguments) and calls[0].id
    assert pieces[-1].choices[0].finish_reason == "tool_calls"
    plain = chats(templated).create(**asked | {"max_tokens": 6}).choices[0]
    assert plain.finish_reason == "length" and not plain.message.tool_calls  # noise is no call
    follow = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
              {"role": "tool", "content": "wet", "tool_call_id": call.id}]
    assert chats(templated).create(model="small", messages=follow, tools=[CITY], max_tokens=2).usage.prompt_tokens
