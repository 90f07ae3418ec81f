# amaranth: UnusedElaboratable=no
"""Write guard, and the core's reset beside it, before a memory that goes on."""

from __future__ import annotations

from sim.runner import run_bench
from tests.hw.soc.guarded_writer import GuardedWriter


def test_bench():
    run_bench(GuardedWriter(), "tests.hw.soc.write_guard_bench")
