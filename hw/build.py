"""Emit a board's accelerator: `python -m hw.build --board kv260 --model demo -o DIR`.

Writes tritloom.v, accel.json (parameters, registers, hash), registers.md and, for boards that have them, the
Vivado scripts and constraints. Two runs emit identical files. Then prints what the analytic model predicts of the
board's build, and of the build it would choose for this model (docs/analytic-model.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.analytic.boards import DEVICES, Share, board_device
from hw.analytic.explore import explore
from hw.analytic.prediction import predict
from hw.analytic.tables import choice_table
from models.checkpoint import load_config
from models.config import ModelConfig
from models.errors import ModelError
from models.machine.build import BOARDS, BuildParameters, board_parameters
from models.machine.registers import REGISTERS, register_table

__all__ = ["TOP", "choose", "emit_verilog", "main", "predictions", "source_hash", "write_build"]

TOP = "tritloom"
_ROOT = Path(__file__).resolve().parent.parent
_BUILD_ID = 0xB1D0B1D0  # stands for the hash until the text is there to be hashed
# Amaranth leaves the extension of operands to Verilog's rules, writes [-1:0] for signals without bits and keeps
# comparisons with zero.
_LINT = "".join(f"/* verilator lint_off {rule} */\n"
                for rule in ("WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE", "ASCRANGE", "UNSIGNED"))
_BOARD_FILES = {"kv260": (*(f"scripts/vivado/{name}" for name in
                            ("build_kv260.tcl", "kv260_bd.tcl", "check_timing.tcl", "tritloom_axi.v")),
                          "constraints/kv260.xdc")}


def source_hash(build: BuildParameters) -> str:
    """Hex digest of all that can change the Verilog: parameters and hardware sources. Cheap; a key for caches."""
    digest = hashlib.sha256(json.dumps(build.to_json(), sort_keys=True).encode())
    for folder in ("hw", "models/machine"):
        for path in sorted(path for path in (_ROOT / folder).rglob("*") if path.suffix in (".py", ".v")):
            if path.relative_to(_ROOT).parts[:2] in (("hw", "analytic"), ("hw", "synthesis"), ("hw", "report.py")):
                continue  # they look at the Verilog and do not make it
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def emit_verilog(build: BuildParameters, *, top: str = TOP) -> tuple[str, str]:
    """The accelerator's Verilog, its top module named `top`, and its hash in hex.

    The hash is of the Verilog itself; its first 32 bits are what the BUILD register reads.
    """
    from hw.core import Core  # late: a command's help needs no Amaranth
    from hw.verilog import to_verilog

    text = to_verilog(Core(build, build_id=_BUILD_ID), name=TOP)
    identity = hashlib.sha256(text.encode()).hexdigest()
    text = text.replace(f"32'd{_BUILD_ID}", f"32'd{int(identity[:8], 16)}")
    if top != TOP:
        text = text.replace(f"module {TOP}(", f"module {top}(").replace(f"\\{TOP}.", f"\\{top}.")
    return _LINT + text, identity


def write_build(build: BuildParameters, folder: Path) -> dict[str, object]:
    """Write all files of a build and return accel.json's content."""
    folder.mkdir(parents=True, exist_ok=True)
    text, identity = emit_verilog(build)
    (folder / f"{TOP}.v").write_text(text)
    description = {"hash": identity, "clock_mhz": build.clock_mhz, "parameters": build.to_json(),
                   "registers": {r.name: r.offset for r in REGISTERS}}
    (folder / "accel.json").write_text(json.dumps(description, indent=1) + "\n")
    (folder / "registers.md").write_text(register_table())
    for name in _BOARD_FILES.get(build.name, ()):
        shutil.copyfile(_ROOT / name, folder / Path(name).name)
    return description


def choose(board: str, config: ModelConfig) -> BuildParameters:
    """The fastest build for a model that fits a board by the analytic model."""
    return explore(config, board_device(board))[0].build


def predictions(build: BuildParameters, config: ModelConfig) -> str:
    """The build beside the analytic model's choice, as a table; empty for a board without a described device."""
    if build.name not in DEVICES:
        return ""
    board = DEVICES[build.name]
    rows = [(name, predict(config, either, board.memory))
            for name, either in (("build", build), ("choice", choose(build.name, config)))]
    return choice_table(rows, board, Share())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="hw.build", description="Emit the accelerator of a board.")
    parser.add_argument("--board", default="kv260", help=f"one of {', '.join(BOARDS)} (default: kv260)")
    parser.add_argument("--model", default="demo", metavar="PRESET|DIR", help="the largest model it must hold")
    parser.add_argument("--choose", action="store_true",
                        help="emit the analytic model's choice for the model, not the board's build")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.model)
        build = choose(options.board, config) if options.choose else board_parameters(options.board)
        build.check(config)
        description = write_build(build, options.output)
        table = predictions(build, config)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except ImportError as error:
        print(f"error: hw.build needs the package {error.name!r}: pip install 'tritloom[hw]'", file=sys.stderr)
        raise SystemExit(2) from None
    if table:
        print(f"predicted: the linear layers of {config.name}, a token and a pass of a prompt; sites of the engine")
        print(table)
    print(f"{build.name}: {TOP}.v, accel.json in {options.output}, hash {str(description['hash'])[:8]}")


if __name__ == "__main__":
    main()
