"""The Local Interaction Basis: it finds planted modules that principal components do not."""

import numpy as np
import pytest

from host.pipeline.audit.local_interaction import (
    edges_needed,
    interactions,
    local_interaction_basis,
    orthogonal_basis,
    principal_basis,
)

SIZE, ROWS = 5, 3000


def rotation(rng, size):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


@pytest.fixture
def modular(rng):
    """Two blocks that do not act on each other, tanh of five values each, behind a rotation on either side. Inputs vary
    alike in all directions, so their principal components say nothing."""
    blocks = np.zeros((2 * SIZE, 2 * SIZE))
    blocks[:SIZE, :SIZE] = rng.standard_normal((SIZE, SIZE)) * np.linspace(0.5, 2, SIZE)
    blocks[SIZE:, SIZE:] = rng.standard_normal((SIZE, SIZE)) * np.linspace(0.6, 1.8, SIZE)
    mixed, mixed_behind = rotation(rng, 2 * SIZE), rotation(rng, 2 * SIZE)
    inside = rng.standard_normal((ROWS, 2 * SIZE))
    states = inside @ np.linalg.inv(np.linalg.cholesky(np.cov(inside.T, bias=True))).T  # variance one, exactly
    outputs = np.tanh(states @ blocks.T)
    slopes = mixed_behind @ ((1 - outputs**2)[:, :, None] * blocks) @ mixed.T
    return states @ mixed.T, outputs @ mixed_behind.T, slopes, mixed


def within(basis, mixed):
    """Of each feature, the larger block's share."""
    shares = ((basis.into @ mixed) ** 2).reshape(len(basis.into), 2, SIZE).sum(axis=2)
    return (shares / shares.sum(axis=1, keepdims=True)).max(axis=1)


def test_it_recovers_planted_modules_and_principal_components_do_not(modular):
    states, outputs, slopes, mixed = modular
    behind = principal_basis(outputs)
    local, principal = local_interaction_basis(states, slopes, behind), principal_basis(states)
    assert within(local, mixed).min() > 0.98 and within(principal, mixed).mean() < 0.9
    edges = {name: interactions(states, slopes, basis, behind) for name, basis in (
        ("local", local), ("principal", principal), ("channels", orthogonal_basis(states)))}
    needed = {name: edges_needed(strengths, 0.99) for name, strengths in edges.items()}
    assert needed["local"] <= 2 * SIZE**2  # of 4 SIZE²
    assert min(needed["principal"], needed["channels"]) > 80


def test_features_go_there_and_back(modular):
    states, outputs, slopes, _ = modular
    for basis in (local_interaction_basis(states, slopes, principal_basis(outputs)), principal_basis(states),
                  orthogonal_basis(states, rotation(np.random.default_rng(1), 2 * SIZE))):
        assert np.allclose(basis.states(basis.features(states)), states)


def test_features_are_uncorrelated_and_vary_as_they_act(modular):
    """Whatever the sizes of the channels: those are taken out before the Jacobians' directions are looked for."""
    states, outputs, slopes, _ = modular
    sizes = np.linspace(0.1, 4, 2 * SIZE)
    states, slopes, behind = states * sizes, slopes / sizes, principal_basis(outputs)
    basis = local_interaction_basis(states, slopes, behind)
    covariance = np.cov(basis.features(states).T, bias=True)
    variances = np.diag(covariance)
    assert np.allclose(covariance, np.diag(variances), atol=1e-9)
    effects = ((behind.into @ slopes @ (basis.back * np.sqrt(variances))) ** 2).sum(axis=1).mean(axis=0)
    assert np.allclose(effects, variances) and (np.diff(effects) < 1e-9).all()


def test_directions_without_variance_or_effect_are_dropped(modular):
    states, outputs, slopes, mixed = modular
    flat = states - states @ mixed[:, :1] @ mixed[:, :1].T
    deaf = slopes - slopes @ mixed[:, 1:2] @ mixed[:, 1:2].T
    basis = local_interaction_basis(flat, deaf, principal_basis(outputs))
    assert len(basis.into) == 2 * SIZE - 2 and np.abs(basis.into @ mixed[:, :2]).max() < 1e-6


def test_interactions_of_a_linear_layer_are_its_terms(rng):
    states, matrix = rng.standard_normal((50, 3)), rng.standard_normal((3, 3))
    found = interactions(states, np.repeat(matrix[None], 50, axis=0), orthogonal_basis(states),
                         orthogonal_basis(states @ matrix.T))
    assert np.allclose(found, np.abs(matrix) * states.std(axis=0))


def test_the_fewest_edges_are_counted():
    strengths = np.sqrt([[6.0, 1.0], [2.0, 1.0]])
    assert [edges_needed(strengths, share) for share in (0.5, 0.6, 0.61, 0.8, 1)] == [1, 1, 2, 2, 4]
