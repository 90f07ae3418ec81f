"""The lean of rows of logits: the expected log-odds of the next token."""

import numpy as np

from host.pipeline.audit.lean import Lean
from models.golden.head import LOGIT_FRACTION


def test_it_is_the_expectation_of_the_log_odds():
    lean = Lean([0, 0, 0, 1], [2, 2, 1], 4)  # counts with one added: 4, 2, 1, 1 of 8 and 1, 2, 3, 1 of 7
    weights = np.log([4 / 8, 2 / 8, 1 / 8, 1 / 8]) - np.log([1 / 7, 2 / 7, 3 / 7, 1 / 7])
    assert np.allclose(lean.weights, weights)
    odds = np.array([[1.0, 2.0, 4.0, 1.0], [8.0, 1.0, 1.0, 1.0]])
    logits = np.rint(np.log(odds) * (1 << LOGIT_FRACTION)).astype(np.int32)
    assert np.allclose(lean.of(logits), (odds / odds.sum(axis=1, keepdims=True)) @ weights, atol=1e-3)
    assert np.allclose(lean.of(logits), lean.of(logits + (700 << LOGIT_FRACTION >> 4)), atol=1e-6)
