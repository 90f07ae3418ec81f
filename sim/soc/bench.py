"""Tokens a second of a board without a processor, simulated: `python -m sim.soc.bench --model demo -n 8`.

The host's driver, its serial line, the whole chip in Verilog and its SDRAM, in one process and in simulated time. The
model is in memory already. Each token is compared with the emulator's. Cycles of the board's clock are those of runs of
the core, of the line while no run is under way, of the link's own work, and of the host's USB, which is assumed:
`--turnaround-us` from the board's last byte to the host's next.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from host.board.description import Description
from host.command_line import with_context
from host.devices.emulator import EmulatorDevice
from host.link.device import SerialDevice
from host.runtime import Session, Top
from host.text import Text
from hw.boards.chosen_build import add_build_options, chosen_build
from hw.boards.registry import BOARDS
from hw.emit import kept_verilog
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import DeviceError, OptionError
from models.machine.build import BuildParameters
from models.markdown import markdown_table
from models.model import Model
from sim.soc.filled_memory import filled_memory
from sim.soc.transport import SimulatedTransport
from sim.soc.verilated_board import BoardCounters, VerilatedBoard, simulated_board

__all__ = ["PROMPTS", "USB_US", "main", "measured"]

PROMPTS = ("It was a truth", "The carriage stopped", "She had never")
USB_US = 1000.0
"""Of a USB full-speed chip, an answer and the next request: one frame of a millisecond. Not measured."""


class _Phase:
    """Passes of one kind: their cycles by what they were for, and the tokens of them."""

    def __init__(self, clock_hz: int) -> None:
        self.clock_hz, self.tokens, self.counted = clock_hz, 0, [0] * 5

    def add(self, tokens: int, used: BoardCounters) -> None:
        """One pass more."""
        self.tokens += tokens
        parts = (used.cycles, used.run, used.line, used.link, used.host)
        self.counted = [total + part for total, part in zip(self.counted, parts, strict=True)]

    def to_json(self) -> dict[str, float]:
        """For `--json`. Shares are of all cycles."""
        cycles, run, line, link, host = self.counted
        per_token = cycles / self.tokens
        return {"tokens": self.tokens, "cycles_per_token": round(per_token),
                "run_cycles_per_token": round(run / self.tokens),
                "tokens_per_s": round(self.clock_hz / per_token, 2),
                "tokens_per_s_without_usb": round(self.clock_hz * self.tokens / (cycles - host), 2),
                "run_tokens_per_s": round(self.clock_hz * self.tokens / run, 2),
                "run_share": round(run / cycles, 4), "line_share": round(line / cycles, 4),
                "link_share": round(link / cycles, 4), "host_share": round(host / cycles, 4)}


def measured(board: VerilatedBoard, build: BuildParameters, model: Model, prompts: Sequence[Sequence[int]], count: int,
             *, turnaround: float) -> dict[str, Any]:
    """Greedy answers of `count` tokens to prompts of ids, on a board whose memory holds the model.

    `DeviceError` where a token, a logit or a cache is not the emulator's. turnaround: in seconds.
    """
    description = Description(int(kept_verilog(build)[1][:8], 16), build.clock_mhz)
    device = SerialDevice(build, description=description, transport=SimulatedTransport(board, turnaround=turnaround))
    opening = board.counters()
    found, expected = Session(model, device), Session(model, EmulatorDevice(build))
    opening = board.counters() - opening
    phases = {"prompt": _Phase(board.clock_hz), "decode": _Phase(board.clock_hz)}
    begun, first = time.perf_counter(), board.counters().cycles
    answers = []
    with tqdm(total=len(prompts) * count, unit="tok", file=sys.stderr, disable=None) as bar:
        for prompt in prompts:
            found.reset(), expected.reset()
            top, ids = _step(board, phases["prompt"], found, expected, prompt), []
            for _ in range(count):
                ids.append(int(top.ids[0]))
                top = _step(board, phases["decode"], found, expected, ids[-1:])
                bar.update()
            _compare_caches(board, model, expected, found)
            answers.append(ids)
    cycles, seconds = board.counters().cycles - first, time.perf_counter() - begun
    return {"board": build.name, "model": model.config.name, "clock_mhz": build.clock_mhz,
            "turnaround_us": turnaround * 1e6, "answers": answers, "uploaded_bytes": device.uploaded,
            "opening_cycles": opening.cycles, "repeats": device.client.repeats,
            "sdram_findings": board.findings, "simulated_cycles_per_s": round(cycles / seconds),
            **{name: phase.to_json() for name, phase in phases.items()}}


def _step(board: VerilatedBoard, phase: _Phase, found: Session, expected: Session, ids: Sequence[int]) -> Top:
    before = board.counters()
    top = found.prefill(ids) if found.position == 0 else found.decode(ids[0])
    phase.add(len(ids), board.counters() - before)
    right = expected.prefill(ids) if expected.position == 0 else expected.decode(ids[0])
    if top.ids.tolist() != right.ids.tolist() or top.logits.tolist() != right.logits.tolist():
        raise DeviceError(f"token {found.position} is {top.ids[0]}, the emulator's {right.ids[0]}")
    return top


def _compare_caches(board: VerilatedBoard, model: Model, expected: Session, found: Session) -> None:
    """With what the SDRAM's model holds: over the line they would take longer than all tokens."""
    found.buffer.array[:] = board.memory[:found.buffer.array.size]
    found.device.invalidate = lambda buffer, start, size: None  # type: ignore[method-assign]
    for layer in range(model.config.layers):
        cached = found.cache(layer)
        for name, values in expected.cache(layer).items():
            if values.tolist() != cached[name].tolist():
                raise DeviceError(f"the {name} of layer {layer} in the cache are not the emulator's")
    del found.device.invalidate  # the driver's own again


def _table(result: dict[str, Any]) -> str:
    rows = []
    for name in ("prompt", "decode"):
        phase = result[name]
        shares = (f"{100 * phase[f'{part}_share']:.1f} %" for part in ("run", "line", "link", "host"))
        rows.append([name, str(phase["tokens"]), f"{phase['cycles_per_token']:,}", f"{phase['tokens_per_s']:.1f}",
                     *shares, f"{phase['tokens_per_s_without_usb']:.1f}", f"{phase['run_tokens_per_s']:.1f}"])
    return markdown_table(["", "tokens", "cycles a token", "tokens/s", "runs", "line", "link", "host's USB",
                           "tokens/s without USB", "of runs alone"], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("sim.soc.bench", description="Tokens a second of a simulated board without a processor.")
    add_build_options(parser, default="ulx3s", boards=[n for n, board in BOARDS.items() if board.serial is not None])
    parser.add_argument("--model", default="demo", metavar="NAME|DIR", help="with a tokenizer (default: demo)")
    parser.add_argument("--context", type=int, metavar="N", help="tokens the cache holds (default: the model's)")
    parser.add_argument("--prompt", action="append", metavar="TEXT", help="may be repeated (default: three of ours)")
    parser.add_argument("-n", type=int, default=8, metavar="N", help="new tokens for each prompt (default: 8)")
    parser.add_argument("--turnaround-us", type=float, default=USB_US, metavar="US",
                        help=f"of the host's USB (default: {USB_US:.0f}, assumed)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    options: argparse.Namespace = parser.parse_args(arguments)
    if options.n < 1 or options.turnaround_us < 0:
        raise OptionError("-n must be at least 1, --turnaround-us not negative")
    build = chosen_build(options, "ulx3s")
    model = with_context(load_model(options.model), build, options.context)
    build.check(model.config)
    prompts = [Text(model.folder).prompt(text) for text in options.prompt or PROMPTS]
    with simulated_board(build, filled_memory(model, build)) as board:
        result = measured(board, build, model, prompts, options.n, turnaround=options.turnaround_us / 1e6)
    if options.json:
        print(json.dumps(result))
        return
    print(_table(result))
    print(f"{result['board']} at {result['clock_mhz']} MHz, simulated, every token, logit and cache equal to the "
          f"emulator's; {result['opening_cycles'] / build.clock_mhz / 1e3:.0f} ms to find the model in memory")


if __name__ == "__main__":
    run_command(main)
