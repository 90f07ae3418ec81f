"""Health, status and metrics: what they say of requests that ran."""

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from host import serve
from host.board.sensors import power_sensor
from host.runtime import Session
from models.errors import DeviceError
from tests.host.board.simulated_system import simulated_system
from tests.host.server.serving import serving


def numbers(running):
    return {(sample.name, *sample.labels.values()): sample.value
            for family in parsed(running.http.get("/metrics").text) for sample in family.samples}


def test_watts_and_joules_are_told_where_a_sensor_is(tmp_path, monkeypatch):
    simulated_system(tmp_path)
    monkeypatch.setattr(serve, "power_sensor", lambda: power_sensor(tmp_path))
    with serving() as running:
        running.post("/v1/completions", prompt="la la", max_tokens=20, temperature=0)
        found = numbers(running)
        speed = running.http.get("/v1/status").json()["speed"]["decode_tokens_per_s"]
    assert found["tritloom_watts",] == 4.83 and found["tritloom_joules_total",] > 0
    assert found["tritloom_joules_per_token",] * speed == pytest.approx(4.83)


def test_where_no_sensor_is_nothing_is_told(monkeypatch):
    monkeypatch.setattr(serve, "power_sensor", lambda: None)
    with serving() as running:
        assert not [name for name, *_ in numbers(running) if "watts" in name or "joules" in name]


def test_what_ran_is_counted():
    with serving("--sequences", 2) as running:
        before = running.http.get("/v1/status").json()
        assert before["tokens"] == dict.fromkeys(before["tokens"], 0) and before["speed"]["decode_tokens_per_s"] == 0
        loop = {"prompt": "la la la la la la", "max_tokens": 20, "temperature": 0}
        _, answer = running.post("/v1/completions", **loop, speculate=4)
        _, again = running.post("/v1/completions", **loop)
        found, told = numbers(running), running.http.get("/v1/status").json()
        details = answer["usage"]["completion_tokens_details"]
        assert told["tokens"] == {"prompt": answer["usage"]["prompt_tokens"] * 2, "generated": 40,
                                  "cached": again["usage"]["prompt_tokens_details"]["cached_tokens"],
                                  "drafted": details["drafted_tokens"], "accepted": details["accepted_tokens"]}
        assert details["drafted_tokens"] >= details["accepted_tokens"] > 0
        for name, count in told["tokens"].items():
            assert found[f"tritloom_{name}_tokens_total",] == count
        assert told["requests"] == {"running": 0, "waiting": 0, "room": 66, "finished": {"limit": 2}, "refused": 0}
        assert found["tritloom_requests_total", "limit"] == 2 and found["tritloom_request_seconds_count",] == 2
        assert told["speed"]["decode_tokens_per_s"] > 0 and told["speed"]["tokens_per_pass"] > 1
        assert 0 < told["time"]["choosing_s"] < told["time"]["prefill_s"] + told["time"]["decode_s"]
        assert (told["model"], told["device"], told["board"], told["context"]) == ("demo", "emulator", "cpu", 512)
        assert told["time"]["engines"] == {} and told["sequences"] == 2


def test_health_is_that_of_the_last_pass(demo, monkeypatch):
    def failing(*_):
        raise DeviceError("the device stopped")

    assert demo.http.get("/health").json() == {"status": "ok"}
    monkeypatch.setattr(Session, "advance", failing)
    status, answer = demo.post("/v1/completions", prompt="It was", max_tokens=2)
    assert status == 500 and answer["error"]["message"] == "the device stopped"
    stream = demo.http.post("/v1/completions", json={"prompt": "It was", "max_tokens": 2, "stream": True})
    assert '"message":"the device stopped"' in stream.text and "[DONE]" not in stream.text
    answer = demo.http.get("/health")
    assert answer.status_code == 503 and answer.json() == {"status": "error", "message": "the device stopped"}
    monkeypatch.undo()
    assert demo.post("/v1/completions", prompt="It was", max_tokens=2)[0] == 200
    assert demo.http.get("/health").status_code == 200
