"""Defaults of sampling: what files state of them, in our names, and nothing that no sampler takes."""

import json

import pytest

from models.errors import ModelError
from models.generation import checked_generation, of_gguf, of_huggingface


@pytest.mark.parametrize(("config", "found"), [
    ({}, {}), ({"eos_token_id": [1], "max_length": 4096}, {}),
    ({"do_sample": True, "temperature": 0.6, "top_p": 0.9}, {"temperature": 0.6, "top_p": 0.9}),
    ({"do_sample": False, "temperature": 0.6}, {"temperature": 0.0}), ({"temperature": 1, "min_p": 0}, {
        "temperature": 1, "min_p": 0}),
    ({"repetition_penalty": 1.1}, {"repeat_penalty": 1.1, "repeat_last": -1}), ({"repetition_penalty": 1.0}, {
        "repeat_penalty": 1.0}), ({"top_k": 20.0, "temperature": None}, {"top_k": 20})])
def test_of_huggingface(config, found):
    assert of_huggingface(config) == (found, [])
    assert checked_generation(json.loads(json.dumps(found))) == found


def test_of_gguf():
    stated = {"temp": 0.6000000238418579, "top_k": 20, "top_p": 0.949999988079071, "penalty_repeat": 1.5,
              "penalty_last_n": 32, "mirostat": 0, "sequence": "k;p"}
    fields = {f"general.sampling.{name}": value for name, value in stated.items()} | {"general.name": "x"}
    assert of_gguf(fields) == ({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repeat_penalty": 1.5,
                                "repeat_last": 32}, [])


@pytest.mark.parametrize(("name", "value"), [
    ("temperature", "0.6"), ("temperature", -1), ("temperature", float("nan")), ("temperature", float("inf")),
    ("temperature", True), ("temperature", 10**400), ("top_p", 0), ("top_p", 1.5), ("min_p", -0.1), ("top_k", 2.5),
    ("top_k", [50]), ("repetition_penalty", 0), ("repetition_penalty", {})])
def test_what_no_sampler_takes_is_left_out_and_told(name, value):
    found, notes = of_huggingface({name: value, "min_p" if name != "min_p" else "top_p": 0.5})
    assert list(found.values()) == [0.5] and len(notes) == 1
    own = {"repetition_penalty": "repeat_penalty"}.get(name, name)
    assert f"the default {own} is left out" in notes[0] and len(notes[0]) < 200
    with pytest.raises(ModelError, match=f"^generation: expected temperature, .*, found {own} "):
        checked_generation({own: value})


@pytest.mark.parametrize("data", [[], "0.7", None, {"heat": 1.0}])
def test_a_damaged_object_is_refused(data):
    with pytest.raises(ModelError, match="^generation: expected"):
        checked_generation(data)
