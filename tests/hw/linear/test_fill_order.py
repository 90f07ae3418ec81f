"""The tables' addresses are distinct, and the fill reaches each once, one addition at a time."""

from itertools import product

from hw.linear.fill_order import FILL_ORDER
from hw.linear.group_index import ENTRIES, INDEX_BITS, group_index


def index_of(trits):
    bits = group_index([trit + 1 >> bit & 1 for trit in trits for bit in range(2)])
    return sum(value << bit for bit, value in enumerate(bits))


def test_every_group_has_an_address_of_its_own():
    indices = {index_of(trits) for trits in product((-1, 0, 1), repeat=3)}
    assert len(indices) == ENTRIES and indices <= set(range(1 << INDEX_BITS))


def test_running_sums_are_the_entries():
    group = (1, 10, 100)
    total, table = 0, {}
    for step in FILL_ORDER:
        total += -group[step.digit] if step.negative else group[step.digit]
        assert step.index not in table
        table[step.index] = total
    assert table == {index_of(trits): sum(t * a for t, a in zip(trits, group, strict=True))
                     for trits in product((-1, 0, 1), repeat=3)}
