"""Check boards' Verilog, by default of all that have a build: two builds alike, Verilator's lint, Yosys' synthesis.

`python -m scripts.verify.check_hdl [--board sim-tiny] [--board kv260] [-o DIR]`; needs the `sim` extra. Prints what
`hw.report` does.
"""

from __future__ import annotations

import filecmp
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.boards.registry import BUILDS, board_build, board_of
from hw.build import write_build
from hw.emit import TOP, emit_verilog
from hw.report import make_report
from models.checkpoint import load_config
from models.child_process import run_child
from models.command import CommandParser, run_command
from models.machine.build import BuildParameters
from models.output import check_output_folder
from models.progress import working
from sim.verilator_env import verilator_environment

__all__ = ["lint", "main", "same_twice"]


def same_twice(build: BuildParameters, folder: Path) -> bool:
    """Write the build twice, neither from the cache; whether all files are identical, those of folders too."""
    written = folder / "first", folder / "second"
    for place in written:
        emitted = emit_verilog(build)
        write_build(build, place, lambda _, emitted=emitted: (emitted.text, emitted.identity))
    names, others = ([str(path.relative_to(place)) for path in sorted(place.rglob("*")) if path.is_file()]
                     for place in written)
    return names == others and not any(filecmp.cmpfiles(*written, names, shallow=False)[1:])


def lint(verilog: Path) -> list[str]:
    """Verilator's complaints about a file."""
    command = ["verilator", "--lint-only", "--top-module", TOP, str(verilog)]
    result = run_child(command, env=verilator_environment(), text=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
    return [line for line in result.stderr.splitlines() if line.startswith("%")]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.check_hdl", description="Two builds alike, linted, synthesised.")
    parser.add_argument("--board", action="append", help=f"default: {', '.join(BUILDS)}")
    parser.add_argument("--model", default="demo", metavar="PRESET|DIR")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/check"), metavar="DIR")
    parser.add_argument("--no-synthesis", action="store_true", help="stop after the lint")
    options = parser.parse_args(arguments)
    verilator_environment()  # what is missing is told before any work
    check_output_folder(options.output)
    failed = False
    for board in options.board or BUILDS:
        build, folder = board_build(board), options.output / board
        build.check(load_config(options.model))
        with working(f"writing the Verilog of build {board} twice"):
            same = same_twice(build, folder)
        complaints = lint(folder / "first" / f"{TOP}.v")
        print(f"{board}: two builds {'identical' if same else 'DIFFERENT'}, lint "
              f"{'clean' if not complaints else f'{len(complaints)} complaints'}", flush=True)
        for line in complaints[:5]:
            print(f"  {line}", file=sys.stderr)
        failed |= not same or bool(complaints)
        if not options.no_synthesis:
            verilog = (folder / "first" / f"{TOP}.v").read_text()
            report = make_report(verilog, TOP, board_of(build).device,
                                 say=lambda line: print(line, file=sys.stderr, flush=True))
            print(f"{board}: synthesised, " + ", ".join(f"{k} {v}" for k, v in report.to_json().items()), flush=True)
            for line in report.remarks(1):
                print(f"  {line}", file=sys.stderr)
            failed |= not report.fits or not report.resources.lut
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    run_command(main)
