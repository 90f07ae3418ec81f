"""What the SDRAM controller carries, in simulated cycles before the chip's model: `python -m
scripts.experiments.sdram_speed [--clock-mhz 60]`.

Prints a table: of each pattern the share of cycles in which a word is transferred, MB/s at this clock, and the cycles
from a read's address to its first beat, alone and under this load. `--record` writes it into docs/sdram.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hw.sdram.memory import SdramMemory
from hw.sdram.timing import ULX3S_CHIPS
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked
from sim.runner import emit_verilog
from sim.sdram.bench import MasterList, SdramBench

__all__ = ["PATTERNS", "Speed", "main", "measure"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sdram.md"
_START, _END = "<!-- speed: written by scripts.experiments.sdram_speed --record -->", "<!-- speed: end -->"
_BLOCK, _BEAT, _WORD, _BLOCKS = 256, 16, 2, 1 << 17
_BURSTS = 1000


class Speed(NamedTuple):
    """share: of the bus. latency: cycles, the mean from a read's address to its first beat; nan without reads."""

    share: float
    latency: float


def _lists(addresses: Sequence[np.ndarray], *, beats: int = 16, writes: Sequence[float] = (0, 0)) -> list[MasterList]:
    lists = [MasterList.reads(part, beats) for part in addresses]
    rng = np.random.default_rng(1)
    for given, share in zip(lists, writes, strict=True):
        given.bursts["write"] = rng.random(len(given.bursts)) < share
        given.strobes[:] = 0xFFFF
    return lists


def _sequential(count: int = _BURSTS, start: int = 0) -> np.ndarray:
    return start + np.arange(count) * _BLOCK


def _random(seed: int, count: int = _BURSTS) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, _BLOCKS, count) * _BLOCK


_NONE = np.arange(0)
PATTERNS: dict[str, Callable[[], list[MasterList]]] = {
    "a long read": lambda: _lists([_sequential(), _NONE]),
    "a long write": lambda: _lists([_sequential(), _NONE], writes=(1, 0)),
    "two long reads, of two masters": lambda: _lists([_sequential(), _sequential(start=1 << 20)]),
    "a long read of one, a long write of the other": lambda: _lists(
        [_sequential(), _sequential(start=1 << 20)], writes=(0, 1)),
    "reads of 256 bytes anywhere": lambda: _lists([_random(1), _NONE]),
    "reads and writes of 256 bytes anywhere, of two": lambda: _lists([_random(1), _random(2)], writes=(0.5, 0.5)),
    "reads of 16 bytes, in order": lambda: _lists([np.arange(4 * _BURSTS) * _BEAT, _NONE], beats=1),
    "reads of 16 bytes anywhere": lambda: _lists([_random(3, 4 * _BURSTS), _NONE], beats=1),
}


def measure(bench: SdramBench, lists: Sequence[MasterList], *, under_way: int = 8) -> Speed:
    """Run lists on a bench that has started."""
    begin = bench.cycle
    bench.run(lists, under_way=under_way)
    words = sum(int(given.bursts["beats"].sum()) for given in lists) * _BEAT // _WORD
    waits = [int(burst["first"]) - int(burst["sent"]) for given in lists for burst in given.bursts
             if not burst["write"]]
    return Speed(words / (bench.cycle - begin), float(np.mean(waits)) if waits else float("nan"))


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = CommandParser(prog="python -m scripts.experiments.sdram_speed", description=__doc__)
    parser.add_argument("--clock-mhz", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="write the table into docs/sdram.md")
    options = parser.parse_args(argv)
    clock = options.clock_mhz
    try:
        memory = SdramMemory(ULX3S_CHIPS, 2, clock)
    except ValueError as error:
        raise OptionError(str(error)) from None
    bench = SdramBench(emit_verilog(memory, None), 2, clock)
    bench.start()
    rows = []
    for name, lists in PATTERNS.items():
        speed = measure(bench, lists())
        alone = measure(bench, lists(), under_way=1)
        rows.append([name, f"{100 * speed.share:.1f} %", f"{speed.share * clock * _WORD:.0f}",
                     *("–" if np.isnan(s.latency) else f"{s.latency:.0f}" for s in (alone, speed))])
    if bench.findings:
        raise AssertionError(f"the chip was driven wrongly: {bench.findings}")
    table = markdown_table([f"{clock} MHz, simulated", "bus busy", "MB/s", "cycles to the first beat, alone",
                            "eight bursts under way"], rows)
    print(table)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: table)


if __name__ == "__main__":
    run_command(main)
