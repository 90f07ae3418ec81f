"""Where streams should begin in memory: `python -m scripts.experiments.place_streams`.

The fabric's four ports read a stream in the memory model as the compiler lays it out, each port 16 KiB of every 64 KiB,
with eight bursts under way, and with sixteen. Prints the rate of a model's longest matrix for each start modulo 16 KiB,
what a bank has in a row, and what layouts would give that the fabric does not have. `-o FILE` writes the best start as
`--dram-starts` takes it; `--record` writes the table in docs/memory-model.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hw.boards.registry import BOARDS
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.machine.build import PORT_BYTES
from models.machine.dram_starts import DramStarts
from models.machine.layout import STRIPE_BEATS, weight_beats
from models.markdown import markdown_table
from models.output import check_output_file
from scripts.marked_text import rewrite_marked
from sim.ddr_streams import PortStream, end_cycles

__all__ = ["best_start", "main", "stream_rates"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "memory-model.md"
_START, _END = "<!-- starts: written by scripts.experiments.place_streams --record -->", "<!-- starts: end -->"
_KIB = 1024
_PIECE = STRIPE_BEATS * PORT_BYTES
_CLOCK_MHZ = 250.0
_SEEDS = (1, 2, 3, 4)
_APART = 8 << 20  # of contiguous streams


def stream_rates(starts: Sequence[int], size: int, *, bursts: int = 8) -> np.ndarray:
    """GB/s [n] of a stream of `size` bytes a port that begins `start` bytes behind a multiple of 16 KiB."""
    return _rates([[PortStream(port=port, address=start + port * _PIECE, size=size, piece=_PIECE, stride=4 * _PIECE,
                               under_way=bursts) for port in range(4)] for start in starts])


def best_start(rates: np.ndarray, starts: Sequence[int]) -> int:
    """Of the highest rate, the lowest among equals."""
    return starts[int(np.argmax(np.round(rates, 3)))]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.place_streams", description="Starts of streams by the memory model.")
    parser.add_argument("--model", default="bitnet-0.73b", metavar="PRESET|DIR",
                        help="whose longest matrix is streamed (default: bitnet-0.73b)")
    parser.add_argument("-o", type=Path, metavar="FILE", dest="output", help="write the best start (JSON)")
    parser.add_argument("--record", action="store_true", help="write the table in docs/memory-model.md")
    options = parser.parse_args(arguments)
    if options.output:
        check_output_file(options.output)
    build = BOARDS["kv260"].build
    config = load_config(options.model)
    beats = max(weight_beats(outputs, inputs, build) for outputs, inputs in config.linear_shapes.values())
    size = -(-beats * PORT_BYTES // _PIECE) * _PIECE
    starts = list(range(0, _PIECE, 4 * _KIB))
    rows = []
    rates = {bursts: stream_rates(starts, size, bursts=bursts) for bursts in (8, 16)}
    best = best_start(rates[8], starts)
    for index, start in enumerate(starts):
        rows.append([f"the fabric's, {start // _KIB} KiB behind a multiple of 16",
                     *(f"{rates[bursts][index]:.2f}" for bursts in (8, 16))])
    for name, streams in tqdm(_others(size).items(), file=sys.stderr, disable=not sys.stderr.isatty()):
        found = _rates([[replace(stream, under_way=bursts) for stream in streams] for bursts in (8, 16)])
        rows.append([name, *(f"{rate:.2f}" for rate in found)])
    table = markdown_table([f"layout, {4 * size / 1e6:.1f} MB", "GB/s, 8 bursts a port", "16"], rows)
    print(table)
    print(f"best: {best // _KIB} KiB")
    if options.output:
        options.output.write_text(json.dumps(DramStarts(period=_PIECE, streams=best).to_json()) + "\n", "utf-8")
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: table)


def _others(size: int) -> dict[str, list[PortStream]]:
    """Layouts that the fabric does not have, with their offsets of HP1 to HP3 in KiB."""
    contiguous = {f"contiguous, HP1 to HP3 at {', '.join(map(str, offsets))} KiB": offsets
                  for offsets in ((0, 0, 0), (16, 32, 48), (24, 40, 56), (40, 56, 24))}
    return {
        "pieces of 256 bytes": [PortStream(port=port, address=port * 256, size=size, piece=256, stride=1024)
                                for port in range(4)],
        "the fabric's at 0, ports in the order 0, 2, 3, 1": [
            PortStream(port=port, address=at * _PIECE, size=size, piece=_PIECE, stride=4 * _PIECE)
            for port, at in enumerate((0, 2, 3, 1))],
        **{name: [PortStream(port=port, address=port * _APART + offset * _KIB, size=size)
                  for port, offset in enumerate((0, *offsets))] for name, offsets in contiguous.items()},
    }


def _rates(runs: Sequence[Sequence[PortStream]]) -> np.ndarray:
    ends = end_cycles(runs, clock_mhz=_CLOCK_MHZ, seeds=_SEEDS)
    sizes = np.array([sum(stream.size for stream in streams) for streams in runs])
    return sizes / (ends.max(2).mean(1) / _CLOCK_MHZ) / 1e3


if __name__ == "__main__":
    run_command(main)
