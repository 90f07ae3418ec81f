"""Emit a board's accelerator: `python -m hw.build --board kv260 --model demo -o DIR`.

Writes tritloom.v, accel.json (parameters, registers, hash), registers.md and, for boards that there are, the AXI
wrapper, both as a packaged IP in the folder `ip`, and the Vivado scripts and constraints of hw/boards; and a folder
`report`: a page with the blocks, parameters, sites and predicted cycles, the registers for other tools, the Verilog by
unit with its Python lines. For boards with an open flow (a serial line in place of a processor) it makes the
bitstream, too: top module and PLL, synthesis, place and route of several seeds, tritloom.bit, place.json. Two runs emit
identical files; the Verilog is kept in the cache (`models.cache`), and so are the tools' runs, so that the second one
takes seconds. Then prints what the analytic model predicts of the board's build, and of the build it
would choose for this model (docs/analytic-model.md). `--bundle` adds one archive for the board: the bitstream where
Vivado has made it there, the project's wheel, the model and what installs them (docs/board.md).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hw.analytic.explore import explore
from hw.analytic.prediction import predict
from hw.analytic.tables import choice_table
from hw.boards.attachment import Processor
from hw.boards.board import Board
from hw.boards.chosen_build import add_build_options, add_clock_option, chosen_build
from hw.boards.registry import board_named, board_of
from hw.emit import TOP, kept_sourced_verilog, kept_verilog
from hw.place.bitstream import board_sources, check_timing, make_bitstream
from hw.place.build_folder import keep_bitstream
from hw.place.nextpnr import BITSTREAM
from hw.place.options import add_seed_option, check_tools, chosen_seeds
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.config import ModelConfig
from models.errors import OptionError, TritloomError
from models.json_file import read_object
from models.machine.build import BuildParameters
from models.machine.registers import REGISTERS, register_table
from models.output import check_output_folder
from models.progress import working
from models.store.naming import model_folder

__all__ = ["DESCRIPTION", "IP", "REPORT", "choose", "main", "parser", "predictions", "write_build"]

DESCRIPTION = "accel.json"
REPORT = "report"
"""The folder beside the Verilog that describes it (`hw.description`)."""
IP = "ip"
"""The folder beside the Verilog that has it as a packaged IP, with files of its own: it may be taken elsewhere."""

_MADE = ("vivado", "placed")  # of accel.json: what the run that made the bitstream says


def write_build(build: BuildParameters, folder: Path,
                verilog: Callable[[BuildParameters], tuple[str, str]] = kept_verilog,
                report: Callable[[Path, str, str], None] | None = None) -> dict[str, object]:
    """Write all files of a build, each whole or not at all, and return accel.json's content.

    verilog: gives the text and its hash. report: writes the folder `report`, given its place, text and hash. What
    Vivado's run wrote into accel.json stays there, if the bitstream beside it is still that of this build; and what
    place and route gave.
    """
    text, identity = verilog(build)
    description = {"hash": identity, "clock_mhz": build.clock_mhz, "parameters": build.to_json(),
                   "registers": {r.name: r.offset for r in REGISTERS}}
    description |= _made(folder / DESCRIPTION, description)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new.", dir=folder) as scratch:
        new = Path(scratch)
        (new / f"{TOP}.v").write_text(text, encoding="utf-8")
        (new / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        (new / "registers.md").write_text(register_table(), encoding="utf-8")
        board = board_of(build)
        if isinstance(board.attachment, Processor) and not board.simulated:
            _write_for_vivado(build, board, text, new)
        for name, source in (board_sources(build, board) if board.serial else {}).items():
            (new / name).write_text(source, encoding="utf-8")
        for file in board.files:
            shutil.copyfile(file, new / file.name)
        if report is not None:
            (new / REPORT).mkdir()
            report(new / REPORT, text, identity)
        for path in [path for path in new.iterdir() if path.is_dir()]:
            if (folder / path.name).is_dir():
                (folder / path.name).rename(new / f"old.{path.name}")
            path.rename(folder / path.name)
            shutil.rmtree(new / f"old.{path.name}", ignore_errors=True)
        for file in sorted(new.iterdir()):
            file.replace(folder / file.name)
    return description


def _made(path: Path, description: dict[str, object]) -> dict[str, object]:
    """What an accel.json of the same build says beyond it."""
    try:
        old = read_object(path)
    except TritloomError:  # none yet, or none that can be read
        return {}
    same = all(old.get(name) == value for name, value in description.items())
    return {name: old[name] for name in _MADE if same and name in old}


def _write_for_vivado(build: BuildParameters, board: Board, text: str, folder: Path) -> None:
    """The wrapper, and the packaged IP."""
    from hw.axi_wrapper import WRAPPER, axi_wrapper  # late: a command's help needs no Amaranth
    from hw.description.ip_xact import VIEW_SCRIPT, component_xml, view_script

    packaged = folder / IP
    packaged.mkdir()
    sources = {f"{TOP}.v": text, f"{WRAPPER}.v": axi_wrapper(build.ports, board.ports)}
    (folder / f"{WRAPPER}.v").write_text(sources[f"{WRAPPER}.v"], encoding="utf-8")
    for name, content in (sources | {"component.xml": component_xml(build, board, WRAPPER, sources),
                                     VIEW_SCRIPT: view_script()}).items():
        (packaged / name).write_text(content, encoding="utf-8")


def _describe(build: BuildParameters, config: ModelConfig, folder: Path, text: str, identity: str) -> None:
    """Write the folder `report`."""
    from hw.description.folder import write_report  # late: a command's help needs none of it

    board = board_of(build)
    sourced = kept_sourced_verilog(build)
    with working(f"describing build {build.name}"):
        found = None if board.simulated else (config.name, predict(config, build, board.memory))
        write_report(folder, build, identity, text, sourced, found)


def choose(board: str, config: ModelConfig) -> BuildParameters:
    """The fastest build for a model that fits a board by the analytic model."""
    return explore(config, board_named(board))[0].build


def predictions(build: BuildParameters, config: ModelConfig) -> str:
    """The build beside the analytic model's choice, as a table; empty for a board that is only simulated."""
    board = board_of(build)
    if board.simulated:
        return ""
    rows = [(name, predict(config, either, board.memory))
            for name, either in (("build", build), ("choice", choose(build.name, config)))]
    return choice_table(rows, board, board.share)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser("hw.build", description="Emit the accelerator of a board.")
    add_build_options(result)
    add_clock_option(result)
    result.add_argument("--model", default="demo", metavar="PRESET|DIR", help="the largest model it must hold")
    result.add_argument("--choose", action="store_true",
                        help="emit the analytic model's choice for the model, not the board's build")
    result.add_argument("--verilog-only", action="store_true",
                        help="on boards with an open flow: no synthesis, place and route")
    add_seed_option(result)
    result.add_argument("--bundle", action="store_true",
                        help="also write tritloom-BOARD.tar.gz there, with all that the board needs: bitstream, wheel, "
                             "model, scripts")
    result.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    build = chosen_build(options)
    if options.choose:
        if options.build is not None or options.settings:
            raise OptionError("--choose takes a board's build: it goes with neither --build nor --set")
        board_of(build).check_chosen()
    config = load_config(options.model)
    if options.bundle:
        model = model_folder(options.model)  # a preset has no weights
        if board_of(build).simulated:
            raise OptionError(f"--bundle is for a board that there is: {build.name} is only simulated")
        if board_of(build).serial:
            raise OptionError(f"--bundle is for a board with a processor, which {build.name} has not")
    seeds, board = chosen_seeds(options), board_of(build)
    if board.serial and not options.verilog_only:
        check_tools()
    if options.choose:
        with working(f"choosing a build of {build.name} for {config.name}"):
            build = choose(build.name, config)
    build.check(build.fitted(config))
    check_output_folder(options.output)
    description = write_build(build, options.output, report=partial(_describe, build, config))
    table = predictions(build, config)
    if table:
        print(f"predicted: the linear layers of {config.name}, cycles a token, of one alone and of a prompt's; "
              "sites of the engine")
        print(table)
    print(f"{build.name}: {TOP}.v, accel.json, {REPORT}/index.html in {options.output}, "
          f"hash {str(description['hash'])[:8]}")
    if board.serial and not options.verilog_only:
        _make_bitstream(options.output, build, seeds)
    if options.bundle:
        _bundle(options.output, build, model)


def _make_bitstream(folder: Path, build: BuildParameters, seeds: Sequence[int]) -> None:
    """Beside the Verilog, and what is known of it."""
    made = make_bitstream(build, board_of(build), (folder / f"{TOP}.v").read_text(encoding="utf-8"), seeds,
                          say=lambda line: print(line, file=sys.stderr, flush=True))
    print(made.report())
    check_timing(made, build, board_of(build))
    keep_bitstream(folder, made)
    print(f"bitstream: {folder / BITSTREAM}, {(folder / BITSTREAM).stat().st_size / 1e6:.1f} MB")


def _bundle(folder: Path, build: BuildParameters, model: Path) -> None:
    from hw.bundle.contents import write_bundle  # late: as above

    with working("packing the bundle"):
        archive, missing = write_bundle(folder, board_of(build), build, model)
    if missing:
        print(f"note: no {' and no '.join(missing)} of this build in {folder}: the bundle has what can be made here. "
              f"Run {folder}/build_{build.name}.tcl in Vivado, then this command again", file=sys.stderr)
    print(f"bundle: {archive}, {archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_command(main)
