"""What every route shares: errors in one form, keys, sizes, hosts, origins, the page, and a client that leaves."""

import asyncio
import json
import socket

import httpx
import openai
import pytest

from host.server.api_error import to_json
from host.server.application import PAGE
from tests.host.server.serving import serving, wait_for

ASKED = {"prompt": "It was", "max_tokens": 2}


@pytest.fixture(scope="module")
def guarded():
    """A small server with a key, in which nothing may wait."""
    with serving("--sequences", 1, "--queue", 1, key="open sesame", largest=2000, hosts=["127.0.0.1"],
                 cors=["http://there.example"]) as running:
        yield running


def refused(running, status, path="/v1/completions", **fields):
    """The error of a request, which must have this status."""
    found, answer = running.post(path, **fields)
    assert found == status and set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    return answer["error"]


@pytest.mark.parametrize(("fields", "message", "param"), [
    ({}, "the body must contain ['prompt'] properties", None),
    ({**ASKED, "temprature": 1}, "the body must not contain {'temprature'} properties", None),
    ({**ASKED, "top_p": 0}, "top_p must be bigger than 0", "top_p"),
    ({**ASKED, "prompt": []}, "prompt cannot be validated by any definition", "prompt"),
    ({**ASKED, "prompt": [5000]}, "token id 5000 is outside the vocabulary of 2048", None),
    ({**ASKED, "prompt": "\ud800"}, "the text is not Unicode: character 0 is half a surrogate pair", "prompt"),
    ({**ASKED, "logit_bias": {"2048": 1}}, "token id 2048 is outside the vocabulary of 2048", "logit_bias"),
    ({**ASKED, "stop": "a<|endoftext|>"}, "the stop string 'a<|endoftext|>' would never come", "stop"),
])
def test_a_wrong_field_is_named(demo, fields, message, param):
    answer = demo.http.post("/v1/completions", content=json.dumps(fields), headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["message"].startswith(message) and error["param"] == param
    assert error["type"] == "invalid_request_error"


def test_what_the_context_has_no_room_for(demo):
    error = refused(demo, 400, prompt="word " * 600)
    assert error["code"] == "context_length_exceeded" and "exceed the context of 512" in error["message"]


def test_what_this_model_or_device_cannot_do_is_422(demo):
    assert refused(demo, 422, **ASKED, stages=[{"stage": "x"}])["message"].startswith("there is no adjustable stage")
    assert "exceed the" in refused(demo, 422, **ASKED, speculate=10_000)["message"]
    assert refused(demo, 422, **ASKED, best_of=2)["param"] == "best_of"
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "frog"}}}
    assert refused(demo, 422, **ASKED, response_format=schema)["code"] == "invalid_schema"
    chat = {"messages": [{"role": "user", "content": "x"}]}
    tool = {"type": "function", "function": {"name": "f"}}
    assert refused(demo, 422, "/v1/chat/completions", **chat, tools=[tool])["code"] == "no_tools"
    assert refused(demo, 400, "/v1/chat/completions", **chat, top_logprobs=1)["param"] == "top_logprobs"


@pytest.mark.parametrize(("body", "kind", "status", "message"), [
    (b"{", "application/json", 400, "the body is not JSON"),
    (b'{"prompt": "a", "temperature": NaN}', "application/json", 400, "the body is not JSON: NaN is no JSON number"),
    (b'{"prompt": "a", "temperature": 1e999}', "application/json", 400, "temperature must be smaller than or equal"),
    (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", "application/json", 400, "the body is not JSON"),
    (b"[1]", "application/json", 400, "expected a JSON object, found list"),
    (b'{"user": ' + b"[" * 100 + b"]" * 100 + b"}", "application/json", 400, "the body is nested deeper"),
    (b'{"user": ' + b"[" * 100_000, "application/json", 400, "the body is not JSON"),
    (b"\xff\xfe", "application/json", 400, "the body is not JSON"),
    (b'{"prompt": "a"}', "text/plain", 415, "expected a body of type application/json, found text/plain"),
    (b"", "", 415, "expected a body of type application/json, found none"),
])
def test_a_body_that_is_none(demo, body, kind, status, message):
    answer = demo.http.post("/v1/completions", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status and answer.json()["error"]["message"].startswith(message)


def test_paths_and_methods_that_are_none(demo):
    assert demo.http.get("/v1/nothing").json()["error"]["message"] == "there is nothing at /v1/nothing"
    answer = demo.http.put("/v1/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert refused(demo, 404, **ASKED, model="gpt")["code"] == "model_not_found"
    assert demo.http.get("/v1/models/gpt").status_code == 404
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["demo"]
        assert client.models.retrieve("demo").owned_by == "tritloom"
        with pytest.raises(openai.NotFoundError, match="this server has 'demo'"):
            client.completions.create(model="gpt", prompt="x")
        with pytest.raises(openai.BadRequestError, match="temperature must be"):
            client.completions.create(model="demo", prompt="x", temperature=-1)


def test_the_page_and_its_description(demo):
    answer = demo.http.get("/")
    assert answer.text == (PAGE / "index.html").read_text() and answer.headers["content-type"].startswith("text/html")
    assert demo.http.get("/../serve.py").status_code == 404


def test_answers_are_json_whatever_is_in_them():
    for text in ("é", "\ud800", 'a"\n'):
        assert json.loads(to_json([text]).decode("utf-8")) == [text]


def test_a_key_is_asked_of_the_api_alone(guarded):
    http, key = guarded.http, {"Authorization": "Bearer open sesame"}
    assert [http.get(path).status_code for path in ("/", "/health", "/openapi.json")] == [200] * 3
    for path in ("/v1/models", "/v1/status", "/metrics", "/v1/nothing"):
        answer = http.get(path)
        assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert http.get("/v1/models", headers={"Authorization": "Bearer open"}).status_code == 401
    assert http.get("/v1/models", headers={"Authorization": "Basic open sesame"}).status_code == 401
    assert http.get("/v1/models", headers=key).status_code == 200
    with openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="wrong", max_retries=0) as client, pytest.raises(
            openai.AuthenticationError, match="expected Authorization: Bearer KEY"):
        client.completions.create(model="demo", prompt="x")


def test_a_body_has_a_size(guarded):
    key = {"Authorization": "Bearer open sesame", "Content-Type": "application/json"}
    whole = json.dumps({"prompt": "x" * 3000}).encode()
    for body in (whole, iter([whole[:1000], whole[1000:]])):  # its length said, and not said
        answer = guarded.http.post("/v1/completions", content=body, headers=key)
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "body_too_large"


def test_another_host_or_origin(guarded):
    answer = guarded.http.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "unknown_host"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in (("http://there.example", "http://there.example"), ("http://evil.example", None)):
        answer = guarded.http.options("/v1/completions", headers={"Origin": origin, **asks})
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_who_finds_no_room_is_told_when_to_come_again(guarded):
    async def visits():
        async with httpx.AsyncClient(base_url=guarded.url, timeout=60, headers={
                "Authorization": "Bearer open sesame"}) as http:
            tasks = [http.post("/v1/completions", json={**ASKED, "max_tokens": 60, "seed": seed}) for seed in range(5)]
            return await asyncio.gather(*tasks)

    answers = asyncio.run(visits())
    good = [answer for answer in answers if answer.status_code == 200]
    full = [answer for answer in answers if answer.status_code == 429]
    assert len(good) >= 2 and len(good) + len(full) == 5 and full and guarded.idle()
    assert full[0].headers["retry-after"] == "1" and full[0].json()["error"]["code"] == "queue_full"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_its_request(demo, stream):
    body = json.dumps({"prompt": "It was", "max_tokens": 480, "n": 2, "stream": stream}).encode()
    host, port = demo.url.removeprefix("http://").split(":")
    before = demo.served.worker.tally.finished["cancelled"]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert wait_for(lambda: demo.served.worker.load == 2)
    assert demo.idle() and demo.served.worker.tally.finished["cancelled"] == before + 2


def test_a_stream_closed_by_the_openai_client_ends_its_request(demo):
    before = demo.served.worker.tally.finished["cancelled"]
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none") as client:
        stream = client.completions.create(model="demo", prompt="It was", max_tokens=480, stream=True)
        next(iter(stream))
        stream.close()
    assert demo.idle() and demo.served.worker.tally.finished["cancelled"] == before + 1
    assert demo.post("/v1/completions", **ASKED)[0] == 200
