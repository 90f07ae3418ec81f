"""The stream ends: everything arrives whatever stalls, and every break of the rule is found."""

import random

import pytest

from sim.runner import BenchFailure, run_bench
from tests.sim.components import FAULTS, StreamFifo
from tests.sim.stream_copy_bench import LAYOUTS

BENCH = "tests.sim.stream_copy_bench"


def elements(count):
    rng = random.Random(7)
    corners = [
        {"row": row, "value": value, "lanes": lanes, "last": row & 1}
        for row, value, lanes in [(7, -256, [-8, 7, 0]), (0, 255, [7, -8, -1]), (5, -1, [0, 0, 0])]
    ]
    return corners + [
        {
            "row": rng.randrange(8),
            "value": rng.randrange(-256, 256),
            "lanes": [rng.randrange(-8, 8) for _ in range(3)],
            "last": rng.randrange(2),
        }
        for _ in range(count)
    ]


def given(values, stall_in=0.0, stall_out=0.0, layout="element", fault=0):
    return {
        "fault": fault,
        "layout": layout,
        "values": values,
        "stall_in": stall_in,
        "stall_out": stall_out,
        "patience": 300,
    }


@pytest.mark.parametrize("stall_in, stall_out", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3), (0.9, 0.1), (0.1, 0.9)])
def test_a_fifo_copies_its_stream(stall_in, stall_out):
    fifo = StreamFifo(LAYOUTS["element"])
    assert run_bench(fifo, BENCH, given(elements(100), stall_in, stall_out)) == 1


def test_plain_bytes():
    run_bench(StreamFifo(8), BENCH, given(list(range(256)), layout="byte"))


def test_ends_stop_and_others_take_their_ports():
    run_bench(StreamFifo(8), "tests.sim.stream_stop_bench")


@pytest.mark.parametrize(
    "fault, message",
    [
        ("valid waits for ready", "no valid for 300 cycles"),
        ("valid falls", "valid fell before the transfer"),
        ("payload changes", "before its transfer"),
        ("drops", "no valid for 300 cycles"),
        ("wrong bit", "assert"),
    ],
)
def test_a_fault_is_found(fault, message):
    parameters = given(list(range(256)), 0.2, 0.2, layout="byte", fault=1 + FAULTS.index(fault))
    with pytest.raises(BenchFailure, match=message):
        run_bench(StreamFifo(8), BENCH, parameters)
