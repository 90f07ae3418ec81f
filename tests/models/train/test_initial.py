"""Weights to begin from: a converted model's trits and scales come back, and what does not fit is refused."""

import numpy as np
import pytest

from models.checkpoint import load_model
from models.convert import convert
from models.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from dataclasses import replace  # noqa: E402

from models.dequantise import float_model  # noqa: E402
from models.float_twin import float_logits  # noqa: E402
from models.formats.source import FloatLinear  # noqa: E402
from models.train.export import export  # noqa: E402
from models.train.initial import masters, network_of, read_initial  # noqa: E402
from models.train.network import BitNet  # noqa: E402
from models.train.quantisers import ternarise  # noqa: E402


@pytest.fixture
def folders(network, tokenizer, tmp_path):
    """The trained folder of a network and the converted one."""
    export(network, tokenizer, tmp_path / "trained")
    convert(tmp_path / "trained", tmp_path / "model")
    return tmp_path / "trained", tmp_path / "model"


def test_a_converted_model_comes_back_bit_equal(folders, network, tokenizer, tmp_path):
    initial = read_initial(folders[1], network.shape)
    again = BitNet(initial.shape)
    again.load_state_dict(initial.state)
    export(again, initial.tokenizer, tmp_path / "again")
    convert(tmp_path / "again", tmp_path / "second")
    first, second = (float_model(load_model(folder)) for folder in (folders[1], tmp_path / "second"))
    for ours, theirs in zip(first.layers, second.layers, strict=True):
        for name, linear in ours.linears.items():
            assert np.array_equal(linear.trits, theirs.linears[name].trits), name
            assert theirs.linears[name].scale == pytest.approx(linear.scale, rel=3e-7), name
        for name, gains in ours.gains.items():
            assert np.array_equal(gains, theirs.gains[name]), name
    assert np.array_equal(first.embedding, second.embedding)
    assert np.array_equal(first.final_gains, second.final_gains)
    assert initial.tokenizer.to_str() == tokenizer.to_str()


def test_a_converted_model_is_a_network_with_its_logits(folders):
    model = load_model(folders[1])
    ids = np.arange(1, 17) % model.config.vocab_size
    network = network_of(model)
    found = network(torch.from_numpy(ids)[None])[0].numpy()
    apart = np.abs(found - float_logits(float_model(model), ids))
    assert np.median(apart) < 1e-5 and apart.max() < 0.02  # an activation may round the other way
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_trained_folder_comes_back_with_its_masters(folders, network):
    state = read_initial(folders[0], network.shape).state
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_masters_quantise_to_the_very_trits_at_any_density(share):
    rng = np.random.default_rng(7)
    trits = (rng.choice([-1, 1], (96, 160)) * (rng.random((96, 160)) < share)).astype(np.int8)
    found, step = ternarise(torch.from_numpy(masters(FloatLinear(trits, 0.37))))
    assert np.array_equal(found.numpy(), trits)
    if share:
        assert step.item() == pytest.approx(0.37, rel=1e-6)


def test_a_scale_that_training_cannot_hold_is_refused():
    with pytest.raises(ModelError, match="expected scales of at least 1e-05, found 1e-06"):
        masters(FloatLinear(np.ones((2, 2), np.int8), 1e-6))


@pytest.mark.parametrize("changes, complaint", [
    ({"hidden": 128}, "has hidden 64, but the run wants 128"), ({"vocab": 300}, "has vocab 280, but the run wants 300"),
    ({"activation": "silu"}, "has activation relu2, but the run wants silu"),
    ({"norm": "seednorm"}, "has norm rmsnorm, but the run wants seednorm")])
@pytest.mark.parametrize("which", [0, 1])
def test_what_does_not_fit_is_named(folders, network, which, changes, complaint):
    with pytest.raises(ModelError, match=complaint):
        read_initial(folders[which], replace(network.shape, **changes))


def test_a_run_may_choose_its_context(folders, network):
    assert read_initial(folders[1], replace(network.shape, context=16)).shape.context == 16


@pytest.mark.parametrize("changes", [{"norm": "seednorm", "norm_heads": 2}, {"activation": "ash"}])
def test_a_converted_model_without_its_stage_is_refused(network, tokenizer, tmp_path, changes):
    shape = replace(network.shape, **changes)
    export(BitNet(shape), tokenizer, tmp_path / "trained")
    convert(tmp_path / "trained", tmp_path / "model")
    with pytest.raises(ModelError, match="whose parameters are not in it: give the folder it was converted from"):
        read_initial(tmp_path / "model", shape)
    assert read_initial(tmp_path / "trained", shape).shape == shape
