"""The memory model's fit to the measured placements: `python -m scripts.experiments.fit_memory`.

Prints, for the half that the free figures were fitted to and for the half held out, the rms and the mean of the last
port's time against the board's, and their correlation. `--fit N` first tries N sets of figures, drawn around the best
so far, on the first half, and prints the best; they are then entered in `sim/ddr_parameters.py` and
`sim/placements.py` by hand. `--residuals FILE` writes every placement's, `--record` the table in docs/memory-model.md.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.markdown import markdown_table
from models.output import check_output_file
from scripts.marked_text import rewrite_marked
from sim.ddr_parameters import CLOCK_NS, DDR, DdrParameters
from sim.placements import HALVES_SEED, MEASUREMENT, Measurement, Placements, halves, model_times

__all__ = ["Agreement", "agreement", "main"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "memory-model.md"
_START, _END = "<!-- fit: written by scripts.experiments.fit_memory --record -->", "<!-- fit: end -->"
_STEPS = {  # free figures: what a step changes them by
    "row_change": 2.0, "row_commands": 1.0, "read_window": 1, "request": 12.5, "answer": 12.5, "refresh": 15.0,
    "gap_ns": 50.0, "read_out_ns": 100.0, "bursts": 1,
}
_SUBSET = 96  # placements of the half that a set is first tried on
_FINALISTS = 8
_SEEDS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Agreement:
    """Of model and board over some placements: relative errors, and the correlation of the times."""

    rms: float
    mean: float
    correlation: float
    worst: tuple[float, float]


def agreement(model: np.ndarray, board: np.ndarray) -> Agreement:
    """Of the last port's microseconds, [n] each."""
    errors = model / board - 1
    return Agreement(float(np.sqrt((errors**2).mean())), float(errors.mean()),
                     float(np.corrcoef(model, board)[0, 1]), (float(errors.min()), float(errors.max())))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.fit_memory", description="The memory model against 512 placements.")
    parser.add_argument("--fit", type=int, metavar="N", help="try N sets of figures on the first half")
    parser.add_argument("--seed", type=int, default=1, help="of the sets tried (default: 1)")
    parser.add_argument("--residuals", type=Path, metavar="FILE", help="write each placement's times (CSV)")
    parser.add_argument("--record", action="store_true", help="write the table in docs/memory-model.md")
    options = parser.parse_args(arguments)
    if options.fit is not None and options.fit < 1:
        raise OptionError(f"--fit must be at least 1, got {options.fit}")
    if options.residuals:
        check_output_file(options.residuals)
    placements = Placements.measured()
    fitted, held_out = halves(len(placements.microseconds))
    parameters, measurement = DDR, MEASUREMENT
    if options.fit:
        parameters, measurement = _fit(placements.chosen(fitted), options.fit, options.seed)
        print("\n".join(f"{name} {value:g}" for name, value in _free(parameters, measurement).items()))
    model = model_times(placements.offsets, parameters, measurement, seeds=_SEEDS)
    found = {name: agreement(model.max(1)[which], placements.microseconds[which])
             for name, which in (("fitted", fitted), ("held out", held_out))}
    for name, result in found.items():
        print(f"{name:9} rms {100 * result.rms:.2f} %, mean {100 * result.mean:+.2f} %, correlation "
              f"{result.correlation:.3f}, worst {100 * result.worst[0]:+.1f} % and {100 * result.worst[1]:+.1f} %")
    if options.residuals:
        _write(options.residuals, placements, model, set(map(int, held_out)))
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: _table(found))


def _free(parameters: DdrParameters, measurement: Measurement) -> dict[str, float]:
    return {"row_change": parameters.activate - 16 * CLOCK_NS, "row_commands": parameters.row_commands,
            "read_window": parameters.read_window,
            "request": parameters.request, "answer": parameters.answer, "refresh": parameters.refresh,
            "gap_ns": measurement.gap_ns, "read_out_ns": measurement.read_out_ns, "bursts": measurement.bursts}


def _with(free: dict[str, float]) -> tuple[DdrParameters, Measurement]:
    change = 16 * CLOCK_NS + free["row_change"]
    return (replace(DDR, precharge=change, activate=change, row_commands=free["row_commands"],
                    read_window=round(free["read_window"]),
                    request=free["request"], answer=free["answer"], refresh=free["refresh"]),
            replace(MEASUREMENT, gap_ns=free["gap_ns"], read_out_ns=free["read_out_ns"],
                    bursts=round(free["bursts"])))


def _fit(placements: Placements, sets: int, seed: int) -> tuple[DdrParameters, Measurement]:
    """The best of so many sets by rms: tried on a part, the finalists on all."""
    rng = random.Random(seed)
    part = placements.chosen(np.random.default_rng(seed).permutation(len(placements.microseconds))[:_SUBSET])

    def rms(free: dict[str, float], chosen: Placements, seeds: Sequence[int]) -> float:
        parameters, measurement = _with(free)
        times = model_times(chosen.offsets, parameters, measurement, seeds=seeds)
        return agreement(times.max(1), chosen.microseconds).rms

    start = _free(DDR, MEASUREMENT)
    tried = [(rms(start, part, (1,)), start)]
    for _ in tqdm(range(sets), "sets", file=sys.stderr, disable=not sys.stderr.isatty()):
        free = dict(min(tried[:_FINALISTS], key=lambda _: rng.random())[1])
        for name in rng.sample(list(_STEPS), rng.choice((1, 1, 2, 3))):
            free[name] = max(_STEPS[name], free[name] + rng.choice((-2, -1, 1, 2)) * _STEPS[name])
        if all(free != other for _, other in tried):
            tried = sorted([*tried, (rms(free, part, (1,)), free)], key=lambda item: item[0])
    best = min((free for _, free in tried[:_FINALISTS]), key=lambda free: rms(free, placements, (1, 2, 3, 4)))
    return _with(best)


def _write(path: Path, placements: Placements, model: np.ndarray, held_out: set[int]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["hp1_kib", "hp2_kib", "hp3_kib", "half", "board_us", "model_us", "error",
                       *(f"model_hp{port}_us" for port in range(model.shape[1]))])
        for index, (offsets, board, ports) in enumerate(
                zip(placements.offsets, placements.microseconds, model, strict=True)):
            last = ports.max()
            rows.writerow([*offsets, "held out" if index in held_out else "fitted", board, f"{last:.2f}",
                           f"{last / board - 1:.4f}", *(f"{time:.2f}" for time in ports)])


def _table(found: dict[str, Agreement]) -> str:
    return markdown_table(
        ["half of the placements", "rms", "mean", "correlation", "worst"],
        [[f"{name}, 256 by seed {HALVES_SEED}", f"{100 * a.rms:.1f} %", f"{100 * a.mean:+.1f} %",
          f"{a.correlation:.2f}", f"{100 * a.worst[0]:+.0f} and {100 * a.worst[1]:+.0f} %"]
         for name, a in found.items()])


if __name__ == "__main__":
    run_command(main)
