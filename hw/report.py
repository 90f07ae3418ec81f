"""What a board's accelerator takes of its device: `python -m hw.report --board kv260 --model demo [--json]`.

From a Yosys run: sites, levels of logic and fan-out, the worst paths and nets by name; for units that the analytic
model knows (docs/analytic-model.md) also what it predicted. A whole board takes a quarter of an hour and one unit of it
(`--unit vector`) up to five minutes; the netlist is kept in the cache (`models.cache`), so that the same Verilog is not
synthesised twice.
`--parts` synthesises the core's parts one by one and joins their netlists (`hw.synthesis.join`): it needs less memory,
and a part that did not change is there already; but paths from one part to another are longer than in the whole, where
the mapper sees all of them. What is counted how: `hw.synthesis.resources`, `hw.synthesis.levels`,
`hw.synthesis.fan_out`. A design is `roomy` within `LIMITS`, which leave a placer and router something to work with.
A board for which nothing can be emitted yet has a report too, with a line that says why. The whole of a board with an
open flow is placed and routed, too: the clock that it achieves, its sites by nextpnr and the worst five paths.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.analytic.sites import PREDICTED, unit_sites
from hw.analytic.tables import error_percent
from hw.boards.chosen_build import add_build_options, chosen_build
from hw.boards.device import Device, Resources
from hw.boards.registry import BOARDS, board_of
from hw.emit import TOP, kept_verilog
from hw.place.bitstream import TOP_MODULE, Bitstream, make_bitstream
from hw.place.options import add_seed_option, check_tools, chosen_seeds
from hw.synthesis.fan_out import Driver, FanOut
from hw.synthesis.join import join_netlists
from hw.synthesis.levels import LogicLevels
from hw.synthesis.netlist import Netlist, read_netlist
from hw.synthesis.resources import count_resources, late_products
from hw.synthesis.units import FRAME, PARTS, UNITS, unit_verilog
from hw.synthesis.yosys import Run, check_yosys, synthesise
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.machine.build import BuildParameters
from models.output import check_output_folder
from models.progress import working

__all__ = ["LIMITS", "NETS", "Limits", "Report", "main", "make_parts_report", "make_placed_report", "make_report",
           "parser"]

NETS = 10
"""Nets that are named, of each kind of driver."""


@dataclass(frozen=True)
class Limits:
    """What a design may have at most: levels of logic, loads of a net by its driver, share of each kind of site."""

    levels: int
    loads: dict[Driver, int]
    share: float


LIMITS = Limits(levels=6, loads={Driver.LUT: 256, Driver.REGISTER: 1000, Driver.OTHER: 1000}, share=0.85)
"""Of a design for 250 MHz on UltraScale+ at 0.72 V. A port counts as the register that stands behind it."""


@dataclass(frozen=True)
class Report:
    """One synthesised design on a device; a run, or one a part. `late_products`: DSPs that hide a path from the levels.
    `made`: of a whole board with an open flow, with the clock that place and route achieved.
    """

    device: Device
    runs: list[Run]
    resources: Resources
    levels: LogicLevels
    fan_out: FanOut
    late_products: list[str]
    made: Bitstream | None = None

    @property
    def fits(self) -> bool:
        """Whether the device has the sites, and all paths end."""
        return self.device.fits(self.resources) and not self.levels.loop

    @property
    def beyond(self) -> list[str]:
        """What is over `LIMITS`, a line each, so that the clock is in doubt; empty for a roomy design."""
        lines = [] if self.levels.worst is not None and self.levels.worst <= LIMITS.levels else [
            f"more than {LIMITS.levels} levels of logic"]
        lines += [f"{self.fan_out.worst(driver)} loads behind a {driver.what}, more than {limit}"
                  for driver, limit in LIMITS.loads.items() if self.fan_out.worst(driver) > limit]
        return lines + [f"more than {LIMITS.share:.0%} of {name}" for name, used in vars(self.resources).items()
                        if used > LIMITS.share * getattr(self.device.sites, name)]

    def _figures(self) -> dict[str, object]:
        """What is no site, by name; `logic_levels` is None where a combinational loop makes it endless."""
        achieved = {"clock_mhz_achieved": self.made.placed.clock_mhz} if self.made else {}
        return {**achieved, "logic_levels": self.levels.worst,
                **{f"fan_out_{driver.value}": self.fan_out.worst(driver) for driver in Driver},
                "fits": self.fits, "roomy": not self.beyond}

    def to_json(self) -> dict[str, object]:
        """What the command prints."""
        nets = [net.to_json() for driver in Driver for net in self.fan_out.nets(driver, NETS)]
        return {**vars(self.resources), **self._figures(), "nets": nets}

    def table(self, predicted: Resources | None = None) -> str:
        """Sites used and available, a line each; beside them what was predicted, and its error. What a chip has none of
        has no share.
        """
        beside = f"{'predicted':>11}{'error, %':>10}" if predicted else ""
        lines = [f"{'':14}{'used':>9}{self.device.name:>9}{'%':>7}{beside}"]
        for name, used in vars(self.resources).items():
            available = getattr(self.device.sites, name)
            share = f"{100 * used / available:.1f}" if available else "-"
            line = f"{name:14}{used:9}{available:9}{share:>7}"
            if predicted and name in PREDICTED:
                line += f"{getattr(predicted, name):11g} {error_percent(getattr(predicted, name), used):>9}"
            lines.append(line)
        said = {None: "endless", True: "yes", False: "no"}
        for name, figure in self._figures().items():
            worth = said[figure] if figure is None or isinstance(figure, bool) else figure
            lines.append(f"{name:18}{worth:>5}")
        return "\n".join([*lines, *([self.made.report()] if self.made else [])])

    def remarks(self, paths: int) -> list[str]:
        """What is over a limit, the worst paths by name, how the others spread, the nets of most loads, and what the
        figures do not show."""
        lines = [f"not roomy: {line}" for line in self.beyond]
        lines += [f"{path.levels} levels: {path}" for path in self.levels.paths(paths)]
        if self.levels.loop:
            lines.append("combinational loop: " + " -> ".join(self.levels.loop))
        else:
            spread = ", ".join(f"{levels}: {count}" for levels, count in self.levels.histogram().items())
            lines.append(f"path ends by levels: {spread}")
        lines += [f"behind a {driver.what}: {net}" for driver in Driver for net in self.fan_out.nets(driver, NETS)]
        if self.late_products:
            lines.append(f"{len(self.late_products)} of {self.resources.dsp} products meet logic before a register, a "
                         f"path the levels do not show: {', '.join(dict.fromkeys(self.late_products))}")
        return lines


def make_report(verilog: str, top: str, device: Device, *, prefix: str = "", folder: Path | None = None,
                say=lambda line: None) -> Report:
    """Synthesise module `top` for a device, or find its earlier run under `folder` (None: in the cache).

    Names in paths start with `prefix`.
    """
    run = synthesise(verilog, top, device.technology, folder, say=say)
    return _report(device, [run], read_netlist(run.netlist, top, prefix=prefix))


def make_parts_report(build: BuildParameters, *, folder: Path | None = None, say=lambda line: None) -> Report:
    """The whole core from its parts, each synthesised alone."""
    device, runs, netlists = board_of(build).device, [], []
    for part in (FRAME, *PARTS):
        with working(f"writing the Verilog of {part}"):
            verilog = unit_verilog(build, part)
        runs.append(synthesise(verilog, part, device.technology, folder, say=say))
        netlists.append(read_netlist(runs[-1].netlist, part, prefix="" if part == FRAME else f"{part}."))
    return _report(device, runs, join_netlists(netlists[0], dict(zip(PARTS, netlists[1:], strict=True))))


def make_placed_report(build: BuildParameters, seeds: Sequence[int], *, folder: Path | None = None,
                       say=lambda line: None) -> Report:
    """The whole of a board with an open flow, placed and routed."""
    board = board_of(build)
    made = make_bitstream(build, board, kept_verilog(build)[0], seeds, folder=folder, say=say)
    return _report(board.device, [made.run], read_netlist(made.run.netlist, TOP_MODULE), made)


def _report(device: Device, runs: list[Run], netlist: Netlist, made: Bitstream | None = None) -> Report:
    return Report(device, runs, count_resources(netlist), LogicLevels(netlist), FanOut(netlist),
                  late_products(netlist), made)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser("hw.report", description="Sites, levels of logic and fan-out, from a Yosys run.")
    add_build_options(result, boards=BOARDS)
    result.add_argument("--model", default="demo", metavar="PRESET|DIR", help="the largest model it must hold")
    which = result.add_mutually_exclusive_group()
    which.add_argument("--unit", choices=UNITS, help="this unit alone (default: the whole accelerator)")
    which.add_argument("--parts", action="store_true", help="the whole, its parts synthesised one by one and joined")
    result.add_argument("--paths", type=int, default=1, metavar="N", help="worst paths to name (default: 1)")
    add_seed_option(result)
    result.add_argument("-o", "--output", type=Path, metavar="DIR",
                        help="where netlists are kept (default: the cache)")
    result.add_argument("--json", action="store_true", help="one JSON object on standard output, all else on error")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    build = chosen_build(options, emitted=False)
    board = board_of(build)
    device = board.device
    build.check(build.fitted(load_config(options.model)))
    if options.output is not None:
        check_output_folder(options.output)
    seeds, placed = chosen_seeds(options), bool(board.serial) and not (options.unit or options.parts)
    check_tools() if placed else check_yosys()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if options.parts:
        report = make_parts_report(build, folder=options.output, say=say)
    elif options.unit:
        with working(f"writing the Verilog of {options.unit}"):
            verilog = unit_verilog(build, options.unit)
        report = make_report(verilog, options.unit, device, prefix=f"{options.unit}.", folder=options.output,
                             say=say)
    elif placed:
        report = make_placed_report(build, seeds, folder=options.output, say=say)
    else:
        report = make_report(kept_verilog(build)[0], TOP, device, folder=options.output, say=say)
    remarks = [*report.remarks(options.paths), *filter(None, [board.refusal])]
    if options.json:
        for line in remarks:
            say(line)
        print(json.dumps(report.to_json()))
    else:
        what = ", ".join(filter(None, (build.name, options.unit, options.parts and "in parts", *options.settings)))
        print(f"{what}: Yosys {report.runs[0].yosys}, mapped by {', '.join(run.mapper for run in report.runs)}")
        print("\n".join([report.table(unit_sites(build, options.unit)), *remarks]))
    raise SystemExit(1 if report.levels.loop else 0)


if __name__ == "__main__":
    run_command(main)
