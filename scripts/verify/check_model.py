"""The analytic model against simulated cycles and synthesised sites.

`python -m scripts.verify.check_model [--set NAME] [--cycles | --sites] [--json]`; needs the `sim` extra. Each parameter
set below is built as a whole: its linear layers alone are simulated before the KV260's memory, a pass of one row
("decode") and one of all slots ("prefill"), and its engine (`hw.report --unit engine`) is synthesised. Prediction,
truth and error in percent, a line each; status 1 where a prediction is off by more than 5 % of the cycles or 20 % of
the LUTs. Minutes for a set's simulation, as many for its netlist; both are kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from host.runtime import Session
from hw.analytic.prediction import predict_speed
from hw.analytic.sites import PREDICTED, engine_sites
from hw.boards.registry import BOARDS, BUILDS, board_of
from hw.report import make_report
from hw.synthesis.units import unit_verilog
from models.command import CommandParser, run_command
from models.machine.build import BuildParameters
from sim.bench.measure import measure_linear
from sim.bench.probe import ProbedDevice
from sim.bench.workload import Workload, load_workload

__all__ = ["SETS", "Line", "cycle_lines", "main", "site_lines"]

CYCLES_WITHIN, LUTS_WITHIN = 0.05, 0.20
LAYERS = 1  # simulated
SMALL_HEAD = 64  # its rows; it does not run
MEMORY = BOARDS["kv260"].memory
PATIENCE = 1_000_000  # cycles without a retired descriptor

_SMALL = replace(BUILDS["sim-tiny"], weight_buffer_steps=1024, accumulator_words=4096)

SETS: dict[str, tuple[BuildParameters, str]] = {
    "1 port, 4 x 2 rows": (replace(_SMALL, name="one-port", ports=1, rows=4, row_batches=2), "demo"),
    "2 ports, 2 x 4 rows": (replace(_SMALL, name="two-ports", ports=2, rows=2, row_batches=4), "demo"),
    "kv260, 8 x 2 rows": (BUILDS["kv260"], "bitnet-0.73b"),
}
"""What the prediction is tested on, with the model whose layers are run; no constant of it was fitted to these."""


@dataclass(frozen=True)
class Line:
    """One figure: `within` is what its error may be, None where nothing is promised."""

    set: str
    what: str
    predicted: float
    true: float
    within: float | None

    @property
    def error(self) -> float:
        """Of the prediction, 0.01 for one that is 1 % too large."""
        return self.predicted / self.true - 1 if self.true else float(self.predicted != 0)

    def __str__(self) -> str:
        mark = "" if self.within is None else "ok" if abs(self.error) <= self.within else "OFF"
        return (f"{self.set:22}{self.what:26}{self.predicted:14,.6g}{self.true:14,.6g}"
                f"{100 * self.error:+8.2f} %  {mark}")


def cycle_lines(name: str, build: BuildParameters, workload: Workload) -> Iterator[Line]:
    """Decode and prefill of a set: cycles of the model's linear layers, as `sim.bench` scales them."""
    device = ProbedDevice(build)
    device.configure(memory=MEMORY.model, clock_mhz=build.clock_mhz)
    device.identify()
    session = Session(workload.model, device)
    device.set("WATCHDOG", PATIENCE)
    for rows in sorted({1, session.rows}):
        phase = "decode, 1 row" if rows == 1 else f"prefill, {rows} rows"
        true = measure_linear(workload, session, rows).counts
        speed = predict_speed(workload.whole, build, MEMORY, rows=rows, layers=workload.layers)
        yield Line(name, f"{phase}, cycles", speed.cycles, true.cycles, CYCLES_WITHIN)
        yield Line(name, f"{phase}, bytes", speed.ddr_bytes, true.ddr_bytes, None)
    device.close()


def site_lines(name: str, build: BuildParameters, say=lambda line: None) -> Iterator[Line]:
    """The engine's sites of a set."""
    counted = make_report(unit_verilog(build, "engine"), "engine", board_of(build).device, say=say).resources
    predicted = engine_sites(build)
    for what in PREDICTED:
        yield Line(name, what, getattr(predicted, what), getattr(counted, what), LUTS_WITHIN if what == "lut" else None)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.check_model", description="The analytic model against measurement.")
    parser.add_argument("--set", choices=SETS, action="append", dest="sets", help="default: all of them")
    parser.add_argument("--cycles", action="store_true", help="cycles alone")
    parser.add_argument("--sites", action="store_true", help="sites alone")
    parser.add_argument("--json", action="store_true", help="one JSON object, alone, on standard output")
    options = parser.parse_args(arguments)
    both = options.cycles == options.sites
    lines: list[Line] = []

    def show(line: Line) -> None:
        lines.append(line)
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    say(f"{'set':22}{'figure':26}{'predicted':>14}{'true':>14}{'error':>10}")
    for name in options.sets or SETS:
        build, model = SETS[name]
        if options.cycles or both:
            for line in cycle_lines(name, build, load_workload(model, layers=LAYERS, vocabulary=SMALL_HEAD)):
                show(line)
        if options.sites or both:
            for line in site_lines(name, build, say):
                show(line)
    if options.json:
        print(json.dumps([asdict(line) | {"error": line.error} for line in lines]))
    raise SystemExit(any(line.within is not None and abs(line.error) > line.within for line in lines))


if __name__ == "__main__":
    run_command(main)
