"""Steering as a slider: names, strengths, and answers that are the commands' at the same strength."""

import json

import numpy as np
import pytest

from host import generate
from host.pipeline.artefact import save_artefact
from host.server.adjustable import Adjustable
from host.server.api_error import ApiError
from models.checkpoint import load_model
from models.command import run_command
from models.model_hash import model_hash
from tests.host.server.serving import serving

ASKED = {"prompt": "It was a truth", "max_tokens": 12, "temperature": 0}


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """Steering, and something that is none."""
    model, folder, rng = load_model("demo"), tmp_path_factory.mktemp("stages"), np.random.default_rng(1)
    vectors = rng.standard_normal((model.config.layers, model.config.hidden_size))
    steer, mask = folder / "tone.safetensors", folder / "teal.safetensors"
    save_artefact(steer, "steering", "difference-of-means", ["residual"], {"vectors": vectors},
                  model=model_hash(model), fit={})
    save_artefact(mask, "sparsity", "teal", ["qkv"], {"thresholds": np.full((model.config.layers, 4), 0.1)},
                  model=model_hash(model), fit={})
    return steer, mask


@pytest.fixture(scope="module")
def running(artefacts):
    steer, mask = artefacts
    with serving("--stage", f"{steer}:0", "--stage", mask) as running:
        yield running


def commanded(capsys, *arguments):
    run_command(generate.main, ["--prompt", ASKED["prompt"], "-n", "12", "--temperature", "0", "--threads", "1",
                                "--json", *map(str, arguments)])
    return json.loads(capsys.readouterr().out)["text"]


def test_each_strength_is_the_command_s(running, artefacts, capsys):
    steer, mask = artefacts
    texts = {}
    for strength in (0, 0.4, 0.8):
        status, answer = running.post("/v1/completions", **ASKED, stages=[{"stage": "tone", "strength": strength}])
        texts[strength] = answer["choices"][0]["text"]
        assert texts[strength] == commanded(capsys, "--stage", f"{steer}:{strength}", "--stage", mask)
    assert running.post("/v1/completions", **ASKED)[1]["choices"][0]["text"] == texts[0]  # as at the start
    assert len(set(texts.values())) == 3
    on = ASKED | {"prompt": ASKED["prompt"] + texts[0.4]}
    cached = [running.post("/v1/completions", **on, stages=[{"stage": "tone", "strength": strength}])[1]["usage"][
        "prompt_tokens_details"]["cached_tokens"] for strength in (0.4, 0.5)]
    assert cached[0] > 8 and cached[1] == 0


def test_stages_are_listed_with_what_may_be_set(running):
    listed = running.http.get("/v1/stages").json()["data"]
    assert [(row["name"].rpartition("/")[2], row["kind"], row["strength"], row["adjustable"]) for row in listed] == [
        ("tone", "steering", 0.0, True), ("teal.safetensors", "sparsity", 1.0, False)]
    status, answer = running.post("/v1/completions", **ASKED, stages=[{"stage": "teal", "strength": 1}])
    assert status == 422 and answer["error"]["message"] == "there is no adjustable stage 'teal'; known: tone"


class Stage:
    def __init__(self, strength):
        self.strength = strength

    def with_strength(self, strength):
        return Stage(strength)


def test_names_are_short_and_different_and_what_is_off_does_not_act():
    stages = Adjustable([("a/tone.safetensors:0.5", Stage(0.5)), ("b/tone.safetensors", Stage(1.0))])
    assert list(stages.stages) == ["tone", "tone-2"]
    assert [stage.strength for stage in stages.chosen([])] == [0.5, 1.0]
    first, = stages.chosen([{"stage": "tone", "strength": 0.25}, {"stage": "tone-2", "strength": 0}])
    again, = stages.chosen([{"stage": "tone-2", "strength": 0}, {"stage": "tone", "strength": 0.25}])
    assert first.strength == 0.25 and first is again  # the same object: its cache can be used again
    with pytest.raises(ApiError, match="there is no adjustable stage 'none'; known: tone, tone-2"):
        stages.chosen([{"stage": "none"}])
