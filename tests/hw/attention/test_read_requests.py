"""ReadRequests: the reads of ATTEND commands."""

from __future__ import annotations

import pytest

from hw.attention.read_requests import ReadRequests
from sim.runner import run_bench


def command(tokens: int, rows: int, kv_heads: int, row_bytes: int, head_bytes: int) -> dict[str, int]:
    bases = dict(key_scales=0x8000_0000, value_scales=0x80_0000_1000, keys=0x3_0000_0010, values=0x7F_FFF0)
    return dict(tokens=tokens, rows=rows, kv_heads=kv_heads, row_bytes=row_bytes, head_bytes=head_bytes, **bases)


COMMANDS = [command(1, 1, 1, 64, 0), command(17, 2, 3, 96, 0x12340), command(4094, 2, 20, 256, 1 << 24)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
def test_reads_in_order(stall):
    run_bench(ReadRequests(rows=2, context_max=4096), "sim.benches.attention.read_requests",
              {"commands": COMMANDS, "stall": stall})
