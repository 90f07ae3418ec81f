"""Whole tokens through the device `serial`, on a modelled board: the emulator's, in few round trips."""

from __future__ import annotations

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.synth import synthetic_model
from tests.host.link.opened import BUILD, TINY, new_board, opened


@pytest.fixture
def board():
    return new_board()


@pytest.fixture(scope="module")
def model():
    return synthetic_model(TINY, seed=3)


def test_a_session_gives_the_emulators_tokens(board, model):
    expected, found = Session(model, EmulatorDevice(BUILD)), Session(model, opened(board))
    a, b = expected.prefill([7, 60, 0, 13, 22]), found.prefill([7, 60, 0, 13, 22])
    for _ in range(8):
        assert np.array_equal(a.ids, b.ids) and np.array_equal(a.logits, b.logits)
        a, b = expected.decode(int(a.ids[0])), found.decode(int(b.ids[0]))
    for name, cached in expected.cache(1).items():
        assert np.array_equal(found.cache(1)[name], cached)
    assert found.saturations == expected.saturations
