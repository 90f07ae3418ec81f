"""The folder `report` of a build: a page, the block diagram, the registers for other tools, the Verilog by unit."""

from __future__ import annotations

from pathlib import Path

from hw.analytic.prediction import Prediction
from hw.analytic.sites import PREDICTED, engine_sites
from hw.boards.registry import board_of
from hw.description.blocks import block_diagram
from hw.description.hierarchy import read_modules
from hw.description.page import SiteCount, build_page
from hw.description.register_files import c_header, system_rdl
from hw.emit import TOP
from hw.synthesis.netlist import read_netlist
from hw.synthesis.resources import count_resources
from hw.synthesis.yosys import kept_run
from models.machine.build import BuildParameters

__all__ = ["site_count", "write_report"]


def write_report(folder: Path, build: BuildParameters, identity: str, verilog: str, sourced: str,
                 prediction: tuple[str, Prediction] | None) -> None:
    """Write all of it below `folder`, which is new.

    verilog: of the whole; sourced: the same with `src` attributes. prediction: a model's name and what the build will
    do with it.
    """
    modules, board = read_modules(sourced), board_of(build)
    diagram = block_diagram(modules[TOP], modules)
    files = {}
    for path, module in modules.items():
        place = Path("units", *path.removeprefix(f"{TOP}.").split("."))
        files[path] = f"{place}.v"
        target = folder / files[path]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(module.text, encoding="utf-8")
    page = build_page(build, identity, board.device, site_count(build, verilog), prediction, diagram, modules, files)
    for name, text in (("index.html", page), ("blocks.svg", diagram), ("registers.h", c_header()),
                       ("registers.rdl", system_rdl())):
        (folder / name).write_text(text, encoding="utf-8")


def site_count(build: BuildParameters, verilog: str) -> SiteCount:
    """Sites by the Yosys run of this Verilog where one is kept, else of the engine by the analytic model."""
    board = board_of(build)
    run = kept_run(verilog, TOP, board.technology)
    if run is None:
        return SiteCount("Of the linear engine, ports and sequencer alone, predicted by the analytic model: there is "
                         "no Yosys run of this build yet (hw.report makes one of the whole).", engine_sites(build),
                         PREDICTED)
    used = count_resources(read_netlist(run.netlist, TOP))
    return SiteCount(f"Of the whole, by Yosys {run.yosys}, mapped by {run.mapper}.", used, tuple(vars(used)))
