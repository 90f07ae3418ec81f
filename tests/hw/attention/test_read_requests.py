"""ReadRequests: the reads of ATTEND commands."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from hw.attention.read_requests import ReadRequests
from hw.boards.registry import BUILDS
from sim.runner import run_bench

COMMANDS = [(1, 1, 8, [1]), (16, 3, 96, [4, 1]), (3, 2, 32, [1]), (17, 2, 120, [2]), (4093, 5, 256, [4]),
            (31, 2, 96, [1, 4, 2])]


@pytest.mark.parametrize("ports", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_reads_in_order(ports):
    build = replace(BUILDS["kv260"], ports=ports)
    run_bench(ReadRequests(build), "tests.hw.attention.read_requests_bench",
              {"build": asdict(build), "commands": COMMANDS})
