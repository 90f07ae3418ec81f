# amaranth: UnusedElaboratable=no
"""Request check against the page's rules, written down once more."""

from __future__ import annotations

import numpy as np
import pytest

from hw.link.request_check import RequestCheck
from models.machine.link import MOST_FRAME, REQUEST, LinkStatus
from tests.hw.link.simulated import watch

MEMORY_BYTES = 4096 + 48
# by number: whether it reads, space, multiple, largest size, whether data are as long as size, else how long
PAGE = {0: (False, 0, 0, 0, 0), 1: (True, 4096, 4, 1024, 0), 2: (False, 4096, 4, 1024, None),
        3: (True, MEMORY_BYTES, 16, 1024, 0), 4: (False, MEMORY_BYTES, 16, 1024, None),
        5: (True, MEMORY_BYTES, 16, 1 << 32, 0), 6: (False, 0, 0, 0, 0), 7: (True, 0, 0, 0, 0),
        8: (False, MEMORY_BYTES, 16, 1 << 32, 16)}


def expected(operation: int, address: int, size: int, length: int) -> tuple[LinkStatus, int, int, int]:
    """The status, and whether it reads, is of registers, of memory."""
    if operation not in PAGE:
        return LinkStatus.BAD_OPERATION, 0, 0, 0
    reads, space, unit, most, data = PAGE[operation]
    kinds = int(reads), int(unit == 4), int(unit == 16)
    if length - REQUEST.size != (size if data is None else data):
        return LinkStatus.BAD_LENGTH, *kinds
    if space and (not 0 < size <= most or size % unit):
        return LinkStatus.BAD_LENGTH, *kinds
    if space and (address % unit or address + size > space):
        return LinkStatus.BAD_ADDRESS, *kinds
    return LinkStatus.OK, *kinds


def test_each_request_is_judged_as_the_page_says():
    rng = np.random.default_rng(1)
    cases = [(operation, 0, 0, REQUEST.size) for operation in range(256)]
    while len(cases) < 2000:
        operation = int(rng.choice([*PAGE, 5, 8, 1, 2, 3, 4]))
        space, unit, data = PAGE[operation][1], max(1, PAGE[operation][2]), PAGE[operation][4]
        size = int(rng.choice([0, unit, 2 * unit, 1024, 1024 + unit, 2048, 1 << 31, (1 << 32) - unit]))
        size = max(0, size - int(rng.choice([0, 0, 0, 0, 1, unit // 2])))
        address = int(rng.choice([0, unit, space - size, space - size + unit, space, 1 << 31, (1 << 32) - size]))
        address = (address + int(rng.choice([0, 0, 0, 0, 1, unit // 2]))) % (1 << 32)
        length = REQUEST.size + (size if data is None else data) + int(rng.choice([0, 0, 0, 0, 1, 16]))
        if length <= MOST_FRAME:
            cases.append((operation, address, size, length))
    names = ("operation", "address", "size", "length")
    cycles = [cycle for case in cases for cycle in (dict(zip(names, case, strict=True)), {}, {})]
    seen = watch(RequestCheck(MEMORY_BYTES), cycles, ("status", "reads", "registers", "memory"))
    found = [tuple(now.values()) for now in seen[2::3]]
    for case, got in zip(cases, found, strict=True):
        assert got == expected(*case), case
    counts = [sum(status == word for status, *_ in found) for word in LinkStatus]
    assert all(counts[word] > 100 for word in (LinkStatus.OK, LinkStatus.BAD_OPERATION, LinkStatus.BAD_LENGTH,
                                               LinkStatus.BAD_ADDRESS))


@pytest.mark.parametrize("size", [0, 8, (1 << 32) + 16])
def test_a_memory_is_whole_beats_that_an_address_reaches(size):
    with pytest.raises(ValueError, match=f"a multiple of 16 bytes up to 4294967296, got {size}"):
        RequestCheck(size)
