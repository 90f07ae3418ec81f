"""CETT against its formula in float64, for masks on gates and on `down`; what emulation measures of a mask."""

import numpy as np
import pytest

from host.pipeline.measuring import Sessions, measure, zero_points
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.cett import capture_neurons, cett
from host.pipeline.sparsity.teal import Teal
from host.pipeline.sparsity.top_k import TopK
from models.errors import OptionError
from models.golden.scalar import to_float
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import fitted, model_of

IDS = np.random.default_rng(3).integers(0, 130, 70).tolist()  # more than a context


@pytest.fixture(scope="module", params=["relu2 grouped heads", "silu full heads", "llama plain"])
def captured(request):
    return request.param, capture_neurons(model_of(request.param), IDS)


def test_it_is_the_mean_share_of_the_output_that_is_lost(captured):
    family, rows = captured
    model, stage = model_of(family), fitted("top-k", family, 0.8)
    found = cett(stage, model, rows)
    for layer in range(FAMILIES[family].layers):
        values, unit = rows[Point(layer, Site.DOWN)]
        x = values * to_float(unit)[:, None]
        least = np.sort(np.abs(x), axis=1)[:, -32, None]
        weights = model.layers[layer].linears["down"].trits().T.astype(float)
        lost = np.linalg.norm(np.where(np.abs(x) < least, x, 0) @ weights, axis=1)
        assert np.isclose(found[layer], (lost / np.linalg.norm(x @ weights, axis=1)).mean())
    assert 0.05 < found[0] < 1


def test_masks_on_gates_and_on_inputs_are_measured_alike(captured):
    family, rows = captured
    model = model_of(family)
    chess = fitted("chess", family, 0.8, sites="gate")
    assert 0 < cett(chess, model, rows).min() < cett(chess.with_strength(1e3), model, rows).min() <= 1.0001
    everything = cett(TopK({"shares": np.ones((2, 1))}), model, rows)
    assert np.allclose(everything, 1) and not cett(chess.with_strength(0), model, rows).any()
    with pytest.raises(OptionError, match="sparsity by teal acts on no neurons: it has no CETT"):
        cett(Teal({"thresholds": np.array([[1.0, 0, 0, 0]] * 2)}), model, rows)


def test_zeros_are_counted_where_a_mask_makes_them():
    family = "silu full heads"
    model, stage = model_of(family), fitted("chess", family)
    assert {point.site for point in zero_points(stage, model)} == {"qkv", "o", "down"}
    plain, masked = (measure(model, [fitted("top-k", family, share)], IDS) for share in (0.001, 0.75))
    assert plain.zeros < 0.3 and masked.zeros == pytest.approx(0.75, abs=0.02) and masked.nll != plain.nll
    assert measure(model, [], IDS) == measure(model, [], IDS, points=()) and measure(model, [], IDS).zeros == 0


def test_a_kept_session_gives_what_a_new_one_gives():
    """Taps of other exponents, stages of the CPU, none and looks in turn; the sum of the tokens' losses is the nll."""
    family = "silu full heads"
    model, kept = model_of(family), Sessions(model_of(family))
    given = [fitted("teal", family, share) for share in (0.3, 0.9)] + [fitted("wina", family), fitted("chess", family)]
    for stages in [[], *([stage] for stage in given), [], [given[0]], given[1:]]:
        points = {Point(0, Site.DOWN), Point(1, Site.QKV)} if len(stages) < 2 else None
        found = measure(model, stages, IDS, points=points, sessions=kept)
        assert found == measure(model, stages, IDS, points=points)
        assert len(found.losses) == len(IDS) - 1 and sum(found.losses) == pytest.approx(found.nll)
    assert measure(model, [given[0]], IDS, sessions=kept).nll != measure(model, [], IDS, sessions=kept).nll
