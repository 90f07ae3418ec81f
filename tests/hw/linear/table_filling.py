"""How a bank of look-up tables is filled: the common control, cycle by cycle."""

from __future__ import annotations

from itertools import product

from hw.linear.fill_order import FILL_ORDER
from hw.linear.group_index import group_index

__all__ = ["ALL_TRITS", "IDLE_FILL", "fill_cycles", "trits_index"]

IDLE_FILL = {"clear": 0, "add": 0, "digit": 0, "negative": 0, "write": 0, "bank": 0, "index": 0}
ALL_TRITS = list(product((-1, 0, 1), repeat=3))


def fill_cycles(bank: int) -> list[dict[str, int]]:
    """FILL_CONTROL of each cycle in which `bank` is filled with what is loaded: cleared, added to, written."""
    cycles = [IDLE_FILL | {"clear": 1, "bank": bank}]
    written = None
    for step in (*FILL_ORDER, None):
        cycle = IDLE_FILL | {"bank": bank}
        if step is not None:
            cycle |= {"add": 1, "digit": step.digit, "negative": int(step.negative)}
        if written is not None:
            cycle |= {"write": 1, "index": written.index}
        cycles.append(cycle)
        written = step
    return cycles


def trits_index(trits) -> int:
    """Where the entry of three trits lies in its bank."""
    bits = group_index([(trit + 1) >> bit & 1 for trit in trits for bit in range(2)])
    return sum(int(bit) << n for n, bit in enumerate(bits))
