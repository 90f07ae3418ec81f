"""A streamed answer of the generated Verilog through the server: the emulator's, and what engines were busy with."""

import openai
import pytest

from models.checkpoint import save_model
from models.machine.descriptor import Engine
from models.synth import synthetic_model
from models.vocabulary import TextParts
from tests.families import FAMILIES
from tests.host.server.serving import serving
from tests.models.vocabulary.test_gguf import byte_level
from tests.sim.cores import FOUR_SLOTS


@pytest.fixture
def folder(tmp_path):
    save_model(synthetic_model(FAMILIES["one head"]), tmp_path / "small", text=TextParts(byte_level().to_str()))
    return tmp_path / "small"


def streamed(running):
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", timeout=600) as client:
        pieces = list(client.completions.create(model="small", prompt=[1, 2, 3], max_tokens=3, temperature=0,
                                                logprobs=1, stream=True))
    assert len(pieces) >= 3 and pieces[-1].choices[0].finish_reason == "length"
    return [value for piece in pieces for value in piece.choices[0].logprobs.token_logprobs]


def test_a_streamed_answer(folder, monkeypatch):
    monkeypatch.setattr("host.command_line.chosen_build", lambda *_: FOUR_SLOTS)  # the tests share this core
    found = {}
    for device in ("emulator", "rtl"):
        with serving("--model", folder, "--device", device, "--board", "sim-tiny", "--sequences", 2,
                     threads=device == "emulator") as running:
            found[device] = streamed(running)
            told = running.http.get("/v1/status").json()
            metrics = running.http.get("/metrics").text
    assert found["rtl"] == found["emulator"] and len(found["rtl"]) == 3
    assert told["device"] == "rtl" and told["time"]["cycles"] > 0 and set(told["time"]["engines"]) == {
        engine.name.lower() for engine in Engine}
    assert all(0 < share <= 1 for share in told["time"]["engines"].values())
    assert 'tritloom_busy_cycles_total{engine="linear"}' in metrics
