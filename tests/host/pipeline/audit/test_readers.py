"""What reads a point, and a direction split by it."""

import numpy as np
import pytest

from host.pipeline.audit.readers import Split, patch_optimal, planted_illusion, readers
from host.pipeline.site import Point, Site
from models.errors import OptionError
from models.golden.scalar import from_word, to_float
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
MODEL = synthetic_model(CONFIG, seed=1)


def test_parts_add_up_and_the_rest_is_not_seen(rng):
    matrix = rng.standard_normal((5, 3)) @ rng.standard_normal((3, 9))
    split, direction = Split.of(matrix), rng.standard_normal(9)
    read, rest = split.parts(direction)
    assert split.rank == 3 and np.allclose(read + rest, direction) and np.abs(matrix @ rest).max() < 1e-9
    assert np.isclose(split.share(direction), read @ read / (direction @ direction))


def test_kept_dimensions_are_those_seen_most():
    split = Split.of(np.diag([1.0, 5.0, 3.0]), 2)
    assert split.rank == 2 and np.allclose(split.parts(np.ones(3))[0], [0, 1, 1])


def test_the_readers_of_a_point():
    assert np.array_equal(readers(MODEL, Point(1, Site.DOWN)), MODEL.layers[1].linears["down"].trits())
    found, layer = readers(MODEL, Point(0, Site.RESIDUAL)), MODEL.layers[1]
    k = layer.linears["k"]
    gains, exponent = layer.gains["input"]
    value = k.trits() * to_float(from_word(k.scale)) * gains * 2.0**-exponent
    assert np.allclose(found[96:96 + 48], value) and found.shape == (96 + 48 + 48 + 160 + 160, 96)
    head = readers(MODEL, Point(1, Site.RESIDUAL))
    row = MODEL.head[7].astype(np.float64) * MODEL.final_gains[0]
    assert np.allclose(head[7] / head[7, 3], row / row[3])
    with pytest.raises(OptionError, match="not at qkv"):
        readers(MODEL, Point(0, Site.QKV))


def test_a_planted_illusion_is_what_its_source_says(rng):
    matrix = rng.standard_normal((6, 14))
    split = Split.of(matrix)
    away = rng.standard_normal((400, 14)) @ np.diag(np.linspace(0.2, 2, 14))
    toward = away[rng.permutation(400)] + rng.standard_normal(14)
    direction = planted_illusion(toward, away, matrix, split)
    read, unread = split.parts(direction)
    difference = toward.mean(axis=0) - away.mean(axis=0)
    assert np.isclose(direction @ direction, 1) and np.isclose(split.share(direction), 0.5)
    assert abs(read @ difference) < 1e-9 < unread @ difference  # dormant, and correlated
    assert np.abs(matrix @ unread).max() < 1e-9  # disconnected
    assert (matrix @ read) @ (matrix @ split.parts(difference)[0]) > 0  # and it writes what the true one would
    spread = np.var(away @ split.read, axis=0).mean()
    assert np.var(away @ (read / np.linalg.norm(read))) < spread
    with pytest.raises(ValueError, match="do not differ in what nothing reads"):
        planted_illusion(toward, away, np.eye(14), Split.of(np.eye(14)))


def test_no_direction_s_patch_writes_more_than_the_optimal_one_s(rng):
    matrix, difference = rng.standard_normal((6, 14)), rng.standard_normal(14)
    gradient = matrix.T @ matrix @ difference
    found = patch_optimal(difference, matrix)
    others = rng.standard_normal((500, 14)) + 3 * found
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert np.isclose(found @ found, 1)
    assert ((others @ difference) * (others @ gradient)).max() < (found @ difference) * (found @ gradient)
