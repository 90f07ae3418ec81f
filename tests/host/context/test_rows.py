"""Rows that stay keep their bytes, and rotary vectors are those of the positions asked for."""

import numpy as np
import pytest

from host.context.rows import keep_rows, row_bytes, set_rotations
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.machine.tables import rope_table
from models.synth import synthetic_model
from tests.families import FAMILIES


@pytest.fixture
def session():
    found = Session(synthetic_model(FAMILIES["relu2 grouped heads"], seed=1), EmulatorDevice(BUILDS["sim-tiny"]))
    found.feed(range(20))
    return found


def test_rows_that_stay_keep_their_bytes(session):
    before = [session.cache(layer) for layer in range(2)]
    places = [0, 3, 4, 15, 16, 19]
    keep_rows(session, places)
    assert session.position == len(places)
    for layer, cache in enumerate(before):
        for what, found in session.cache(layer).items():
            assert (found == cache[what][:, places]).all(), what


@pytest.mark.parametrize("places", [[3, 3], [4, 2], [-1, 2], [20]])
def test_places_that_are_none_are_told(session, places):
    with pytest.raises(OptionError, match="expected ascending places below 20"):
        keep_rows(session, places)


def test_rotations_beyond_the_context_can_be_had(session):
    config = session.model.config
    set_rotations(session, 3, [700, 2])
    start, width = session.program.memory["rope"], config.head_dim * 2
    table = session.buffer.array[start:start + 6 * width].view("<i2").reshape(6, -1)
    expected = rope_table(config.rope_theta, config.head_dim, 701)
    assert (table == expected[[0, 1, 2, 700, 2, 5]]).all()
    with pytest.raises(OptionError, match="63 rows and 2 more exceed the context of 64"):
        set_rotations(session, 63, [0, 1])


def test_bytes_of_a_row_are_those_of_the_cache(session):
    memory, config = session.program.memory, session.model.config
    kv = memory.kv
    widths = {"keys": config.head_dim, "values": config.head_dim, "key_scales": 4, "value_scales": 4}
    used = {layer: set() for layer in range(config.layers)}
    for layer in used:
        for what, width in widths.items():
            used[layer] |= set(kv.places(what, np.array([5]), width).reshape(-1).tolist())
    assert row_bytes(session) == sum(map(len, used.values()))
