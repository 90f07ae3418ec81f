"""Areas under the curve, their intervals over groups, and errors at thresholds that were set elsewhere."""

import numpy as np
import pytest

from host.pipeline.audit.detection import Detected, aucs, detected


def test_areas_are_the_share_of_pairs_in_order(rng):
    scores, plain = rng.integers(0, 6, (20, 3)), rng.integers(0, 5, (30, 3))
    pairs = scores[:, None] - plain[None]
    expected = [(np.count_nonzero(pairs[..., i] > 0) + np.count_nonzero(pairs[..., i] == 0) / 2) / 600
                for i in range(3)]
    assert aucs(scores, plain) == pytest.approx(expected)
    groups = detected(scores[:, 0].reshape(4, 5), plain[:20, 0].reshape(4, 5), plain[:, 0])
    assert groups.auc == pytest.approx(aucs(scores[:, :1], plain[:20, :1])[0])


def test_what_lies_apart_is_told_without_error():
    plain = np.arange(12.0).reshape(3, 4)
    found = detected(plain + 100, plain, plain.ravel())
    assert (found.auc, found.low, found.high) == (1, 1, 1) and found.shown() == "1.00 [1.00, 1.00]"
    assert found.found == (12, 12) and found.false == (1, 12), "the threshold lies below the highest of twelve"


def test_a_threshold_is_set_on_other_runs():
    plain = np.arange(12.0).reshape(3, 4)
    assert detected(plain, plain, plain.ravel() - 6).false == (7, 12)
    assert detected(plain, plain, plain.ravel() + 6).false == (0, 12)


def test_groups_that_differ_make_a_wide_interval():
    plain = np.tile(np.linspace(0, 1, 20), (4, 1))
    alike = detected(plain + 0.3, plain, plain.ravel())
    one = detected(plain + np.array([[1.2], [0], [0], [0]]), plain, plain.ravel())
    assert alike.high - alike.low < 1e-9 and one.high - one.low > 0.2 and one.low < one.auc < one.high


def test_what_json_makes_of_one_is_read_back():
    plain = np.arange(6.0).reshape(2, 3)
    found = detected(plain + 1, plain, plain.ravel())
    assert Detected.from_json([found.auc, found.low, found.high, list(found.false), list(found.found)]) == found
