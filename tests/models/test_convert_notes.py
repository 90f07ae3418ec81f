"""What a conversion has to say of a model, and what it refuses because nothing runs it."""

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.registry import BUILDS, why_no_board
from models.checkpoint import load_model
from models.config import PRESETS
from models.convert import convert, report
from models.errors import ModelError
from models.machine.build import CPU
from tests.models.formats.folders import STEMS, config_json, masters, write_folder
from tests.models.small import SMALL
from tests.models.test_residual_scale import drawn_ids


def notes(tmp_path, config, tensors=None, **changes):
    source = write_folder(tmp_path / "m", config_json(config, **changes), tensors or masters(config))
    convert(source, tmp_path / "out")
    return report(tmp_path / "out")["notes"]


def test_a_model_that_every_device_runs_needs_no_note(tmp_path):
    assert notes(tmp_path, SMALL) == []


def test_a_head_size_that_no_board_takes_is_said(tmp_path):
    assert notes(tmp_path, replace(SMALL, head_dim=100)) == [
        "runs on the emulator only: the model's head size of 100 is not a multiple of 8, as boards need"]


def test_scales_by_group_are_said(tmp_path):
    config = replace(SMALL, hidden_size=128, ffn_size=128, heads=2, kv_heads=2, head_dim=64, sub_norms=False,
                     activation="silu", qk_norm=True)
    rng, tensors = np.random.default_rng(0), masters(config)
    for name, array in tensors.items():
        if "_proj" in name:
            scales = np.repeat(rng.random((len(array), array.shape[1] // 128), np.float32), 128, axis=1)
            tensors[name] = np.sign(array) * scales
    for layer in range(config.layers):
        for head in "qk":
            tensors[f"model.layers.{layer}.self_attn.{head}_norm.weight"] = np.ones(64, np.float32)
    assert notes(tmp_path, config, tensors, model_type="qwen3", quantization_config=...) == [
        "int8 activations: a model whose scales differ by group may have been trained with float ones; "
        "docs/checkpoints.md says what that costs",
        "runs on the emulator only: the model has a scale for each 128 inputs of a row, which boards lack and the "
        "emulator runs"]
    loaded = load_model(tmp_path / "out")
    assert loaded.config == replace(config, name="m", grouped=True, bos_id=SMALL.bos_id)
    with pytest.raises(ModelError, match="what was asked for takes one for the whole matrix"):
        loaded.layers[0].linears["q"].trits()


def test_a_context_beyond_the_machines_is_no_hindrance(tmp_path):
    assert notes(tmp_path, replace(SMALL, context=131072)) == []
    assert CPU.fitted(replace(SMALL, context=131072)).context == CPU.context_max


def test_zeros_and_a_raised_scale_are_said(tmp_path):
    tensors, name = masters(SMALL), f"model.layers.1.{STEMS['k']}.weight"
    tensors[name] = np.zeros_like(tensors[name])
    row = next(token for token in range(SMALL.vocab_size) if token not in drawn_ids())
    tensors["model.embed_tokens.weight"][row] *= 1e5
    zeros, raised = notes(tmp_path, SMALL, tensors)
    assert zeros == f"zeros alone in the tensor {name}: is the file whole?"
    assert raised.startswith("the residual's scale was raised for a row of the embedding, which reaches ")


@pytest.mark.parametrize(("changes", "message"), [
    ({"head_dim": 258}, "head size of 258 exceeds the 256 of build cpu"),
    ({"heads": 256, "kv_heads": 256, "head_dim": 2}, "head count of 256 exceeds the 255 of build cpu"),
    ({"heads": 254, "kv_heads": 254, "head_dim": 256, "hidden_size": 2}, "exceeds the 65535 of build cpu"),
    ({"hidden_size": 16386, "heads": 1, "kv_heads": 1, "head_dim": 2, "ffn_size": 2, "vocab_size": 3, "layers": 1},
     "hidden size of 16386 exceeds the 16384 of build cpu")])
def test_what_no_device_runs_is_refused_before_the_work(tmp_path, changes, message):
    config = replace(SMALL, **changes, bos_id=None, eos_ids=())
    source = write_folder(tmp_path / "m", config_json(config), masters(config))
    with pytest.raises(ModelError, match=f"^{source}: no device runs it: the model's .*{message}"):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_boards_that_run_a_model():
    assert all(why_no_board(config) == [] for config in PRESETS.values() if not config.grouped)
    large = replace(PRESETS["bitnet-2b4t"], hidden_size=3200, heads=32, kv_heads=32, head_dim=100)
    assert why_no_board(large) == ["the model's head size of 100 is not a multiple of 8, as boards need"]
    assert why_no_board(replace(large, head_dim=104)) == [
        f"the model's hidden size of 3200 exceeds the {BUILDS[name].hidden_max} of build {name}"
        for name in BUILDS]
