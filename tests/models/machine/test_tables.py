import hashlib

import numpy as np
import pytest

from models.machine.tables import EXP2_COARSE, EXP2_FINE, SIGMOID_TABLE, rope_table


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array, "<i8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("table,pinned", [
    (EXP2_COARSE, "5223276a85ace79d"),
    (EXP2_FINE, "5cd1f31c42dfed99"),
    (SIGMOID_TABLE, "d7aa14f743f5a6d7"),
    (rope_table(1e4, 64, 512), "f50b37ae1968e8cd"),
    (rope_table(5e5, 128, 4096), "cea19712f2c55406")])
def test_tables_are_the_same_everywhere(table, pinned):
    assert digest(table) == pinned


def test_rope_table_is_accurate_at_the_longest_context():
    table = rope_table(5e5, 128, 4096)
    angle = 4095 * 5e5 ** (-2 * 3 / 128)
    assert abs(table[4095, 3] / 2**14 - np.cos(angle)) < 2**-15 + 1e-9
    assert abs(table[4095, 67] / 2**14 - np.sin(angle)) < 2**-15 + 1e-9
