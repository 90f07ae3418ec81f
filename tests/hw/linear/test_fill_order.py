"""The fill reaches each of the tables' entries once, one addition at a time."""

from hw.linear.fill_order import FILL_ORDER
from tests.hw.linear.table_filling import ALL_TRITS, trits_index


def test_running_sums_are_the_entries():
    group = (1, 10, 100)
    total, table = 0, {}
    for step in FILL_ORDER:
        total += -group[step.digit] if step.negative else group[step.digit]
        assert step.index not in table
        table[step.index] = total
    assert table == {trits_index(trits): sum(t * a for t, a in zip(trits, group, strict=True)) for trits in ALL_TRITS}
