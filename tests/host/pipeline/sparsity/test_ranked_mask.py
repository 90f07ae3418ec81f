"""How many channels a ranked mask keeps, which among equals, what is refused; top-k and WINA by it."""

from fractions import Fraction

import numpy as np
import pytest

from host.pipeline.site import LINEAR_INPUTS, Point, Site, channels_of
from host.pipeline.sparsity.ranked_mask import kept_channels, largest
from host.pipeline.sparsity.top_k import TopK
from host.pipeline.sparsity.wina import Wina, site_norms
from models.errors import ArtefactError
from models.golden.scalar import Scalar, from_word, to_float
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import model_of

FAMILY = "silu full heads"
CONFIG = FAMILIES[FAMILY]
UNIT = Scalar(np.full(3, 1 << 23), np.full(3, -12))


def test_among_equals_the_lower_channels_stay():
    scores = np.array([[3, 5, 3, 3, 9], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    assert largest(scores, 3).astype(int).tolist() == [[1, 1, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]
    assert not largest(scores, 0).any() and largest(scores, 5).all()


@pytest.mark.parametrize("share, kept", [(0, 10), (0.25, 8), (0.37, 6), (1, 0)])
def test_a_share_is_rounded_to_channels(share, kept):
    assert kept_channels(share, 10) == kept


def test_top_k_keeps_the_largest_magnitudes(rng):
    stage = TopK({"shares": np.array([[0.25], [1.0]])})
    x = rng.permutation(CONFIG.ffn_size * 3).reshape(3, CONFIG.ffn_size) * rng.choice([-1, 1], (3, CONFIG.ffn_size))
    found = stage.apply(Point(0, Site.DOWN), x, UNIT, model_of(FAMILY))
    least = np.sort(np.abs(x), axis=1)[:, CONFIG.ffn_size // 4, None]
    assert (found == np.where(np.abs(x) >= least, x, 0)).all()
    assert not stage.apply(Point(1, Site.DOWN), x, UNIT, model_of(FAMILY)).any()
    half = stage.with_strength(0.5)
    assert (half.apply(Point(1, Site.DOWN), x, UNIT, model_of(FAMILY)) != 0).sum(axis=1).tolist() == [80] * 3


@pytest.mark.parametrize("site", LINEAR_INPUTS)
def test_wina_ranks_by_magnitude_times_the_norm_of_the_stacked_columns(site, rng):
    model, point = model_of(FAMILY), Point(1, site)
    readers = {"qkv": "q k v", "o": "o", "gate_up": "gate up", "down": "down"}[site].split()
    squares = [sum(Fraction(float(to_float(from_word(linear.scale)))) ** 2 * int(count)
                   for linear, count in zip(linears, counts, strict=True))
               for linears in [[model.layers[1].linears[name] for name in readers]]
               for counts in zip(*[np.count_nonzero(linear.trits(), axis=0) for linear in linears], strict=True)]
    norms = site_norms(point, model)
    exact = np.sqrt(np.array([float(square / max(squares)) for square in squares]))
    assert norms.max() == 2**23 - 1 and np.abs(norms / (2**23 - 1) - exact).max() < 2**-23
    x = rng.integers(-2**39 + 1, 2**39, (3, channels_of(site, CONFIG)))
    found = Wina({"shares": np.full((2, 4), 0.5)}).apply(point, x, UNIT, model)
    for row, kept in zip(x.tolist(), found, strict=True):
        scores = [abs(value) * int(norm) for value, norm in zip(row, norms, strict=True)]
        order = sorted(range(len(row)), key=lambda channel: -scores[channel])
        assert sorted(order[:len(row) // 2]) == np.flatnonzero(kept).tolist()


def test_it_acts_where_it_has_a_share(rng):
    stage = Wina({"shares": np.array([[0, 0.5, 0, 0], [0, 0, 0, 0.1]])})
    assert stage.points(model_of(FAMILY)) == [Point(0, "o"), Point(1, "down")]


@pytest.mark.parametrize("shares, strength, message", [
    (-0.1, 1, "tensor shares: expected none below 0, found -0.1"),
    (1.5, 1, "tensor shares: expected none above 1, found 1.5"),
    (0.5, -1, "its strength must not be negative"), (0.5, np.inf, "must be finite")])
def test_what_makes_no_sense_is_refused(shares, strength, message):
    with pytest.raises(ArtefactError, match=message):
        Wina.load({"shares": np.full((2, 4), shares)}, strength)
