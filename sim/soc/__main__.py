"""A board without a processor, simulated: `python -m sim.soc --board ulx3s --port 4000`.

The whole chip's Verilog runs with its SDRAM; its serial line is a TCP socket. In another terminal, in a folder with the
build's accel.json (`--describe` writes it, as `hw.build` does), `python -m host.generate --device serial --serial-port
socket://127.0.0.1:4000 ...` finds it as it would find the board, some hundred times slower: TRITLOOM_LINK_PATIENCE=60
tells the host to wait for answers. Time passes on the board only while something is to do. Ctrl-C ends it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from host.command_line import with_context
from hw.boards.chosen_build import add_build_options, chosen_build
from hw.boards.registry import BOARDS
from hw.emit import kept_verilog
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from sim.soc.filled_memory import filled_memory, read_memory, save_memory
from sim.soc.server import HOST, LineServer
from sim.soc.verilated_board import simulated_board

__all__ = ["main", "parser"]


def parser() -> CommandParser:
    """Options of the command."""
    result = CommandParser("sim.soc", description="Simulate a board without a processor behind a socket.")
    boards = [name for name, board in BOARDS.items() if board.serial is not None]
    add_build_options(result, default="ulx3s", boards=boards)
    result.add_argument("--port", type=int, default=0, metavar="N", help="of the socket (default: any that is free)")
    memory = result.add_mutually_exclusive_group()
    memory.add_argument("--model", metavar="NAME|DIR",
                        help="begin with this model in memory, as an earlier upload leaves it (default: with zeros)")
    memory.add_argument("--memory", type=Path, metavar="FILE",
                        help="begin with what this file holds, if it is there, and keep in it what memory holds at the "
                             "end")
    result.add_argument("--describe", type=Path, metavar="FILE", help="write the build's accel.json for the host")
    result.add_argument("--context", type=int, metavar="N", help="of --model: tokens its cache holds")
    result.add_argument("--turnaround-us", type=float, default=0.0, metavar="US",
                        help="time from the board's last byte to the host's next, as USB takes it (default: 0)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    build = chosen_build(options, "ulx3s")
    if options.turnaround_us < 0:
        raise OptionError("--turnaround-us must not be negative")
    if options.context is not None and options.model is None:
        raise OptionError("--context is that of --model")
    memory = None
    if options.model is not None:
        model = with_context(load_model(options.model), build, options.context)
        build.check(model.config)
        memory = filled_memory(model, build)
    elif options.memory is not None:
        memory = read_memory(options.memory)
    if options.describe is not None:
        description = {"hash": kept_verilog(build)[1], "clock_mhz": build.clock_mhz, "parameters": build.to_json()}
        options.describe.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    with simulated_board(build, memory) as board:
        server = LineServer(board, options.port, turnaround=round(options.turnaround_us * build.clock_mhz))
        print(f"socket://{HOST}:{server.port}", flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell's job behind & begins with Ctrl-C ignored
            signal.signal(number, signal.default_int_handler)
        try:
            server.serve()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
            if options.memory is not None:
                save_memory(options.memory, board.memory)
        cycles = board.counters().cycles
        if server.seconds:
            print(f"[{cycles} cycles, {cycles / server.seconds / 1e3:.0f} thousand a second]", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
