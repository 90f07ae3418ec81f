"""The fit brings a shifted distribution back, the lasso leaves channels out, and hooks see what the network makes."""

import numpy as np
import pytest

from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.lin_eas import LinEAS, wasserstein
from models.checkpoint import load_model
from models.errors import OptionError

torch = pytest.importorskip("torch")

from host.pipeline.steering.hooked_network import HookedNetwork, network_with_gradients  # noqa: E402

MODEL = load_model("demo")
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def contrast():
    """Token ids drawn from either half of the vocabulary."""
    return Contrast(MODEL, RANDOM.integers(1, 900, 256).tolist(), RANDOM.integers(1000, 2000, 256).tolist())


def test_the_distance_falls_and_the_lasso_leaves_channels_out(contrast):
    dense = LinEAS.fit_contrast(contrast, [0, 1], steps=6, sparsity=0.0)
    sparse = LinEAS.fit_contrast(contrast, [0, 1], steps=6, sparsity=0.5)
    before, after = dense.details["wasserstein_before_after"]
    assert after < 0.95 * before
    assert dense.details["support"] == 1 > sparse.details["support"] > 0
    assert not dense.tensors["scales"][2:].any() and dense.tensors["shifts"][:2].all()


def test_a_shifted_distribution_is_as_far_as_its_shift():
    source = torch.randn(2, 1, 50, 3)
    assert float(wasserstein(source, source.flip(2) + 0.5, torch.ones(2, 1, 3))) == pytest.approx(0.5, abs=1e-6)


def test_what_a_layer_changes_the_next_one_gets():
    network = network_with_gradients(MODEL)
    ids = torch.arange(1, 13)[None]
    plain = HookedNetwork(network).states(ids)
    added = HookedNetwork(network, lambda layer, h: h + (layer == 1)).states(ids)
    assert torch.equal(plain[0], added[0]) and torch.allclose(plain[1] + 1, added[1])
    assert not torch.allclose(plain[2] + 1, added[2])
    assert torch.equal(HookedNetwork(network).states(ids), plain)


def test_settings_of_no_use_are_refused(contrast):
    with pytest.raises(OptionError, match="--steps must be positive"):
        LinEAS.fit_contrast(contrast, [0], steps=0, sparsity=0.0)
    with pytest.raises(OptionError, match="lower --sparsity"):
        LinEAS.fit_contrast(contrast, [0], steps=1, sparsity=1e6)
