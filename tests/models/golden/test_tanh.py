"""tanh against its value to 50 digits."""

import hashlib
from decimal import Decimal, getcontext

import numpy as np
import pytest

from models.golden.tanh import TANH_TABLE, tanh

getcontext().prec = 50


def exact(z):
    """tanh(z / 2**14)."""
    power = (2 * Decimal(int(z)) / 2**14).exp()
    return (power - 1) / (power + 1)


def test_each_entry_is_the_nearest():
    assert TANH_TABLE.tolist() == [round(exact(128 * i) * 2**16) for i in range(1025)]
    assert hashlib.sha256(TANH_TABLE.astype("<i8").tobytes()).hexdigest()[:16] == "724e5fe556a8b597"


def test_it_is_odd_and_reaches_one():
    z = np.arange(2**17)
    assert (tanh(-z) == -tanh(z)).all() and (np.diff(tanh(z)) >= 0).all()
    assert tanh(np.array([0, 2**17 - 1, 1 - 2**17])).tolist() == [0, 2**16, -(2**16)]


@pytest.mark.parametrize("start", range(0, 2**17, 2**14))
def test_it_errs_by_less_than_stated(start):
    z = np.arange(start, start + 2**14, 61)
    wrong = [abs(int(found) - exact(at) * 2**16) / 2**16 for at, found in zip(z, tanh(z), strict=True)]
    assert max(wrong) < Decimal("2.2e-5")
