import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.checkpoint import load_model
from models.config import PRESETS, ModelConfig
from models.errors import OptionError
from models.golden.model import GoldenModel
from models.machine.build import CPU
from models.synth import NONZERO, main, synthetic_model
from tests.models.small import PLAIN, SMALL


def test_seeds_decide_the_model():
    a, b, c = (synthetic_model(SMALL, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.layers[0].linears["q"].packed, b.layers[0].linears["q"].packed)
    np.testing.assert_array_equal(a.embedding, b.embedding)
    assert (a.embedding != c.embedding).any()


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_padding_trits_are_zero(config):
    for layer in synthetic_model(config).layers:
        for matrix in layer.linears.values():
            rest = matrix.inputs % 5
            assert not rest or (matrix.packed[:, -1] // 3**rest == (3 ** (5 - rest) - 1) // 2).all()


def test_trits_have_the_density_of_ternarised_gaussians():
    config = ModelConfig(**vars(SMALL) | {"hidden_size": 400, "ffn_size": 600})
    trits = synthetic_model(config).layers[0].linears["gate"].trits()
    assert np.abs((trits != 0).mean() - NONZERO) < 0.01
    assert np.abs(trits.mean()) < 0.01
    weights = np.random.default_rng(0).standard_normal(100_000)
    assert NONZERO == pytest.approx((np.abs(weights) > np.abs(weights).mean() / 2).mean(), abs=0.01)


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_activations_stay_in_range(config):
    model = synthetic_model(config, 5)
    golden = GoldenModel(model)
    logits = np.stack([golden.step(token) for token in range(config.context)]) / 2**16
    assert golden.saturations == 0
    assert 2.0**22 < golden.residual_max < 2.0**29
    assert 0.1 < logits.std() < 20


def test_command_line(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "small", SMALL)
    main(["--preset", "small", "-o", str(tmp_path / "m"), "--seed", "4"])
    model = load_model(tmp_path / "m")
    np.testing.assert_array_equal(model.embedding, synthetic_model(SMALL, 4).embedding)
    with pytest.raises(OptionError, match="unknown preset 'big'; known: bitnet-0.73b, bitnet-2b4t, falcon3-1b, "
                                          "bonsai-1.7b, small"):
        main(["--preset", "big", "-o", str(tmp_path / "n")])
    with pytest.raises(OptionError, match="--seed must be at least 0"):
        main(["--preset", "small", "-o", str(tmp_path / "n"), "--seed", "-1"])
    with pytest.raises(OptionError, match="m/model.json/n cannot be written"):
        main(["--preset", "small", "-o", str(tmp_path / "m" / "model.json" / "n")])
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize("zeros", [0.0, 0.6, 0.8])
def test_a_share_of_the_gates_is_zero(zeros):
    config = ModelConfig(**vars(SMALL) | {"hidden_size": 640, "ffn_size": 400, "layers": 2, "activation": "relu2",
                                           "context": 32})
    model = synthetic_model(config, 3, zeros=zeros)
    gates = []
    looks = {Point(layer, Site.GATE): [lambda at, rows, unit: gates.append(rows > 0)] for layer in range(config.layers)}
    session = Session(model, EmulatorDevice(CPU), host_steps=HostSteps(model, looks=looks))
    session.feed(range(20))
    for live in gates:
        assert live.shape == (20, 400) and np.abs(live.mean(axis=1) - (1 - zeros)).max() < 0.04
        assert zeros == 0 or live.mean(axis=0).max() < 0.95  # other gates for other tokens
    assert session.saturations == 0


def test_a_share_of_zeros_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(OptionError, match="^a share of zeros must be a multiple of 0.05 from 0 to 1, got 0.33$"):
        main(["--preset", "bitnet-0.73b", "-o", str(tmp_path / "m"), "--zeros", "0.33"])
    with pytest.raises(OptionError, match="must be a multiple of 0.05 from 0 to 1, got 1.05$"):
        synthetic_model(SMALL, zeros=1.05)
    with pytest.raises(OptionError, match="^a share of zeros needs a hidden size of at least 40, got 16$"):
        synthetic_model(ModelConfig(**vars(SMALL) | {"hidden_size": 16}), zeros=0.5)
