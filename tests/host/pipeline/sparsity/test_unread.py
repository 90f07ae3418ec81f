"""Modelled bytes: counted by hand from what the plain model holds, and what masks add to them."""

import numpy as np
import pytest

from host.pipeline.measuring import capture, measure
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.unread import Unread, matrix_bytes
from models.golden.norm_quant import quantise
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import fitted, model_of

IDS = np.random.default_rng(4).integers(0, 130, 40).tolist()


@pytest.mark.parametrize("family", ["relu2 grouped heads", "silu full heads"])
def test_columns_of_down_and_rows_of_up_are_counted(family):
    model, config = model_of(family), FAMILIES[family]
    unread = Unread(model)
    measure(model, [], IDS, points=(), looks=unread.looks)
    points = [Point(layer, site) for layer in range(config.layers) for site in (Site.GATE, Site.DOWN)]
    captured, zeros = capture(model, points, IDS), 0
    for point, (rows, unit) in captured.items():
        if point.site == Site.DOWN:
            zeros += np.count_nonzero(quantise(rows, unit)[0] == 0)
        else:
            zeros += np.count_nonzero(rows <= 0 if config.activation == "relu2" else rows == 0)
    assert unread.bytes_a_token == pytest.approx(zeros / len(IDS) * config.hidden_size * 0.2)
    assert unread.bytes_a_token < matrix_bytes(model)


def test_a_mask_leaves_more_unread_where_it_acts():
    model, found = model_of("silu full heads"), {}
    for method, options in (("top-k", {}), ("spark", {}), ("teal", {"sites": "qkv"})):
        unread = Unread(model)
        measure(model, [fitted(method, "silu full heads", 0.9, **options)], IDS, points=(), looks=unread.looks)
        found[method] = unread.bytes_a_token
    ffn = 2 * model.config.ffn_size * model.config.hidden_size * 0.2  # of one matrix in both layers
    assert 0.85 * ffn < found["top-k"] < 1.2 * ffn < 1.6 * ffn < found["spark"] < 2 * ffn
    assert found["teal"] < 0.3 * ffn
