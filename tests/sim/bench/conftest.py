"""What the bench's tests share: a small model, and the core that all tests of whole models run on."""

import pytest

from models.checkpoint_writer import new_checkpoint
from models.config import ModelConfig
from models.synth import synthesise
from tests.sim.cores import FOUR_SLOTS


@pytest.fixture(scope="package")
def small(tmp_path_factory):
    """A model's folder: six layers, which the simulator runs ten times as fast as the shipped model's."""
    folder = tmp_path_factory.mktemp("model") / "small"
    config = ModelConfig(name="small", vocab_size=2048, hidden_size=128, ffn_size=512, layers=6, heads=4, kv_heads=4,
                         head_dim=32, activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
                         context=64)
    with new_checkpoint(folder, config) as sink:
        synthesise(sink, config)
    return str(folder)


@pytest.fixture(params=["four slots", pytest.param("sim-tiny", marks=pytest.mark.slow)])
def board(request, monkeypatch):
    """sim-tiny's name, behind which there is the core that all tests share; or sim-tiny."""
    if request.param != "sim-tiny":
        monkeypatch.setattr("sim.bench.__main__.chosen_build", lambda options: FOUR_SLOTS)
    return "sim-tiny"
