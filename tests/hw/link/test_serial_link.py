# amaranth: UnusedElaboratable=no
"""The whole link, from line to buses."""

from __future__ import annotations

import pytest

from hw.boards.technology import ECP5
from hw.link.serial_link import SerialLink
from sim.runner import run_bench

MILLISECOND, BIT_CYCLES, MEMORY_BYTES = 500, 4, 2048  # the first two in cycles
CLOCK_MHZ = MILLISECOND / 1000


def _run(bench: str, parameters: dict[str, float], **more) -> None:
    """A bench on the link as boards with one have it."""
    link = SerialLink(CLOCK_MHZ, round(CLOCK_MHZ * 1e6 / BIT_CYCLES), memory_bytes=MEMORY_BYTES)
    run_bench(link, f"tests.hw.link.{bench}", parameters, technology=ECP5, **more)


def _parameters(**more: int) -> dict[str, float]:
    return {"bit_cycles": BIT_CYCLES, "memory_bytes": MEMORY_BYTES, "millisecond": MILLISECOND, "clock_mhz": CLOCK_MHZ,
            **more}


def test_requests_do_what_the_page_says_on_any_line():
    _run("serial_link_bench", _parameters(requests=15))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_requests_on_a_bad_line(seed):
    _run("serial_link_bench", _parameters(requests=200), seed=seed,
         testcase="a_line_that_loses_doubles_and_flips_ends_in_what_was_asked")


@pytest.mark.parametrize("chunks, seed", [(60, 1), *(pytest.param(1500, seed, marks=pytest.mark.slow)
                                                     for seed in range(2, 6))])
def test_answers_to_any_bytes_are_those_of_the_hosts_model_of_a_board(chunks, seed):
    _run("board_model_bench", _parameters(chunks=chunks), seed=seed)


def test_memories_of_another_model_of_axi_keep_what_requests_wrote():
    _run("foreign_axi_bench", _parameters())
