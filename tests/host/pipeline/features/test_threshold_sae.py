"""Planted atoms come back from a stretched space, where the plain inner product fails; the gradients are right."""

import numpy as np
import pytest

from host.pipeline.features.atomic_metric import AtomicMetric, atomic_metric
from host.pipeline.features.threshold_sae import fit_threshold_sae, loss_gradients
from scripts.experiments.planted import planted, random_directions, stretch

FEATURES, CHANNELS = 48, 32


def planted_in_stretched_space():
    directions, rows = planted(FEATURES, CHANNELS, 6000, active=3, noise=0.02)
    return stretch(CHANNELS) @ directions, rows @ stretch(CHANNELS)


def match(metric, true, found):
    """Mean best-match cosine under the metric."""
    return metric.cosines(true, found).max(axis=1).mean()


def test_planted_atoms_come_back_from_a_stretched_space():
    """Mean best-match cosine under the corrected inner product: 0.97; trained under the plain one: 0.64;
    of a random dictionary: 0.38."""
    true, rows = planted_in_stretched_space()
    metric = atomic_metric(rows)
    sae = fit_threshold_sae(rows, FEATURES)
    scale = np.sqrt(rows.var(axis=0).mean())
    plain = fit_threshold_sae(rows, FEATURES, metric=AtomicMetric(rows.mean(axis=0), np.eye(CHANNELS) / scale,
                                                                  np.eye(CHANNELS) * scale))
    null = stretch(CHANNELS) @ random_directions(FEATURES, CHANNELS, 1.0, np.random.default_rng(1))
    assert match(metric, true, sae.atoms) > 0.95
    assert match(metric, true, plain.atoms) < 0.8
    assert match(metric, true, null) < 0.5
    codes = sae.encode(rows)
    assert sae.error(rows) < 0.06
    assert np.count_nonzero(codes, axis=1).mean() == pytest.approx(3, abs=0.5)
    assert ((codes == 0) | (codes > sae.thresholds)).all()


def test_gradients_are_those_of_the_loss():
    random = np.random.default_rng(0)
    parameters = {"encoder": random.standard_normal((6, 4)), "decoder": random.standard_normal((6, 4)),
                  "thresholds": np.full(4, 0.7)}
    batch = random.standard_normal((5, 6))

    def loss(changed):
        found = batch @ changed["encoder"]
        active = np.where(found > changed["thresholds"], found, 0)
        return ((batch - active @ changed["decoder"].T) ** 2).sum() / 2 / len(batch)

    gradients = loss_gradients(parameters, batch, 0.1)
    for name in ("encoder", "decoder"):
        for place in np.ndindex(parameters[name].shape):
            step = np.zeros_like(parameters[name])
            step[place] = 1e-6
            up, down = (loss(parameters | {name: parameters[name] + sign * step}) for sign in (1, -1))
            assert gradients[name][place] == pytest.approx((up - down) / 2e-6, abs=1e-4)


def test_a_cost_raises_thresholds_and_what_helps_lowers_them():
    parameters = {"encoder": np.eye(2), "decoder": np.eye(2), "thresholds": np.array([0.5, 0.5])}
    just_below, just_above = np.array([[0.45, 0.0]]), np.array([[0.55, 0.0]])
    assert loss_gradients(parameters, just_above, 1.0)["thresholds"][0] < 0  # a step of Adam raises it
    assert loss_gradients(parameters, just_below, 0.0)["thresholds"][0] > 0
    assert loss_gradients(parameters, just_above, 1.0)["thresholds"][1] == 0


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="features"):
        fit_threshold_sae(np.ones((10, 4)), 11)
    with pytest.raises(ValueError, match="do not vary"):
        fit_threshold_sae(np.ones((10, 4)), 2)
