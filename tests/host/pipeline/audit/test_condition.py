"""Condition numbers: of matrices whose singular values are known, of a model's, and the page."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.condition import Condition, _rank_correlation, condition_number, conditions, random_trits
from models.dequantise import float_model
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_commands import refused, run


def test_known_singular_values(rng):
    u, v = (np.linalg.qr(rng.standard_normal((size, size)))[0] for size in (5, 8))
    matrix = u @ np.concatenate([np.diag([6, 5, 4, 3, 2.0]), np.zeros((5, 3))], axis=1) @ v
    assert condition_number(matrix) == pytest.approx(3) == condition_number(matrix.T * 1e-9)


@pytest.mark.parametrize("matrix", [np.zeros((3, 4)), np.ones((3, 4)), np.array([[1, -1, 0], [0, 1, -1], [-1, 0, 1]])])
def test_a_singular_matrix_has_none(matrix):
    assert condition_number(matrix) == float("inf")


def test_random_trits_have_the_density_and_both_signs(rng):
    trits = random_trits((200, 300), 0.6, rng)
    shares = [np.mean(trits == value) for value in (-1, 0, 1)]
    assert shares == pytest.approx([0.3, 0.4, 0.3], abs=0.01) and trits.dtype == np.int8


def test_every_matrix_of_a_model_beside_its_random_ones():
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=3)
    found = conditions(model, draws=3, seed=5)
    assert [(one.layer, one.name, one.shape) for one in found] == [
        (layer, name, shape) for layer in range(2) for name, shape in model.config.linear_shapes.items()]
    trits = float_model(model).layers[1].linears["down"].trits
    assert found[-1].number == condition_number(trits) and found[-1].density == np.mean(trits != 0)
    assert all(sorted(one.random) == list(one.random) and len(one.random) == 3 for one in found)
    assert conditions(model, draws=3, seed=5) == found
    apart = [one.number / one.usual for one in found if one.shape[0] != one.shape[1]]
    assert 0.5 < min(apart) and max(apart) < 2, "a model of noise is as its controls"


@pytest.mark.parametrize("second, expected", [([2, 5, 9, 70], 1), ([9, 8, 4, 1], -1), ([1, 3, 2, 4], 0.8)])
def test_rank_correlation_is_spearmans(second, expected):
    assert _rank_correlation([1, 10, 11, float("inf")], second) == pytest.approx(expected)
    assert _rank_correlation([1.0], [2.0]) == 0


def test_the_command_and_its_page(capsys):
    found = run(pipeline, "audit", "condition", "--model", "bilingual", "--draws", 1, "--json", capsys=capsys)
    assert len(found["tensors"]) == 28 and found["above"] + found["below"] == 28
    found["tensors"][0]["number"], found["tensors"][1]["random"] = None, [None]
    page = Condition.page(found)
    assert "| layer | q, 192 × 192 | k, 64 × 192 |" in page and "\n| 0 | ∞ (" in page and " (∞) |" in page


@pytest.mark.parametrize("option", [("--draws", 0), ("--seed", -1)])
def test_bad_options_are_one_line(capsys, option):
    assert option[0] in refused(pipeline, "audit", "condition", *option, capsys=capsys)
