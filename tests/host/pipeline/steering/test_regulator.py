"""The regulator against the quadratic programme that it solves, written out over all layers at once."""

import numpy as np
import pytest

from host.pipeline.steering.regulator import regulator_gains


def best_additions(slopes, x, layers, q, r, q_f):
    """The additions at `layers` that make the sum of costs least, from x behind layer 0, by least squares."""
    count, hidden = len(slopes) + 1, len(x)
    acting = sorted(layers)
    rows, right = [], []
    behind, effect = x, np.zeros((hidden, hidden * len(acting)))
    for layer in range(count):
        if layer:
            behind, effect = slopes[layer - 1] @ behind, slopes[layer - 1] @ effect
        if layer in acting:
            place = slice(hidden * acting.index(layer), hidden * (acting.index(layer) + 1))
            effect = effect.copy()
            effect[:, place] += np.eye(hidden)
            own = np.zeros_like(effect)
            own[:, place] = np.eye(hidden)
            rows.append(np.sqrt(r) * own)
            right.append(np.zeros(hidden))
        weight = np.sqrt(q_f if layer == count - 1 else q)
        rows.append(weight * effect)
        right.append(-weight * behind)
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0].reshape(len(acting), hidden)


@pytest.mark.parametrize("layers", [[0, 1, 2, 3], [0, 2], [0, 3]])
def test_the_first_addition_is_the_best_one(layers):
    random = np.random.default_rng(1)
    slopes = random.standard_normal((3, 5, 5)) / 2 + np.eye(5)
    for x in random.standard_normal((3, 5)):
        gains = regulator_gains(slopes, np.tile(-x, (4, 1)), layers, q=10.0, r=10.0, q_f=1.0)
        assert np.allclose(gains[0], best_additions(slopes, x, layers, 10.0, 10.0, 1.0)[0])
        assert [bool(row.any()) for row in gains] == [layer in layers for layer in range(4)]


def test_behind_the_last_layer_only_its_own_cost_counts():
    directions = np.random.default_rng(2).standard_normal((2, 4))
    gains = regulator_gains(np.zeros((1, 4, 4)), directions, [0, 1], q=10.0, r=10.0, q_f=1.0)
    assert np.allclose(gains[1], directions[1] / 11) and np.allclose(gains[0], directions[0] / 2)
