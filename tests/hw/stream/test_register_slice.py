"""Register slice: every transfer in its order at one a cycle, and both ends cut."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data, stream

from hw.boards.technology import ECP5, PLAIN, SERIES_7, ULTRASCALE_PLUS
from hw.stream.register_slice import RegisterSlice, sliced
from sim.runner import run_bench
from tests.hw.cycle_table import check_cycles

SHAPE = data.StructLayout({"value": signed(8), "last": 1})


def test_transfers_in_order():
    run_bench(RegisterSlice(SHAPE), "tests.hw.stream.register_slice_bench", {"transfers": 300})


def test_two_wait_and_ready_is_of_the_cycle_before():
    """A transfer a row: what is put in and taken, and what the slice says in that cycle."""
    rows = [  # valid, payload, taken; ready, valid, payload
        (1, 1, 0, 1, 0, None), (1, 2, 0, 1, 1, 1), (1, 3, 0, 0, 1, 1), (1, 3, 1, 0, 1, 1), (1, 3, 1, 1, 1, 2),
        (1, 4, 1, 1, 1, 3), (0, 9, 0, 1, 1, 4), (0, 9, 1, 1, 1, 4), (0, 9, 1, 1, 0, None), (1, 5, 1, 1, 0, None),
        (0, 9, 1, 1, 1, 5), (0, 9, 1, 1, 0, None)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    check_cycles(RegisterSlice(9), inputs=dict(zip(("i__valid", "i__payload", "o__ready"), columns[:3], strict=True)),
                 outputs=dict(zip(("i__ready", "o__valid", "o__payload"), columns[3:], strict=True)))


def test_only_slow_wires_are_cut():
    for technology, cut in ((None, False), (PLAIN, False), (SERIES_7, False), (ULTRASCALE_PLUS, False), (ECP5, True)):
        m, source = Module(), stream.Signature(SHAPE).create()
        given = sliced(m, technology, "cut", source)
        assert (given is not source) == hasattr(m.submodules, "cut") == cut
        assert given.payload.shape() == SHAPE
