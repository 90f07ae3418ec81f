"""Prove the rules of hardware units: streams and AXI, for whatever comes in, resets included.

`python -m scripts.verify.prove [UNIT ...] [--list] [--long] [--planted] [--json] [--jobs N]`; needs the `dev` extra.
Exit status 1 where a rule is broken or undecided, or a planted fault is not found.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from amaranth.hdl import UnusedElaboratable
from tqdm import tqdm

from host.emulator.library import default_threads
from models.command import CommandParser, run_command
from models.errors import OptionError
from tests.proofs.catalogue import PROOFS
from tests.proofs.planted import PLANTED, SEARCHED, Planted
from tests.proofs.prover import Outcome, prove
from tests.proofs.stages import STAGES, find_stages, prove_stage

__all__ = ["main"]


def _find_fault(planted: Planted, seconds: int) -> list[Outcome]:
    return prove(planted.proof(), seconds=seconds, only=[planted.rule], search=SEARCHED)


def _chosen(units: Sequence[str], *, long: bool, planted: bool) -> Iterator[tuple[str, Callable[[int], list[Outcome]]]]:
    """Names, and what proves each."""
    def wanted(name: str) -> bool:
        return not units or name.lower().startswith(tuple(unit.lower() for unit in units))

    if planted:
        for fault in PLANTED:
            if wanted(fault.unit.__name__):
                yield f"{fault.unit.__name__}: {fault.fault}", lambda seconds, fault=fault: _find_fault(fault, seconds)
        return
    named = [proof for proof in PROOFS if wanted(proof.unit) and (long or units or not proof.long)]
    for proof in named:
        yield proof.unit, lambda seconds, proof=proof: prove(proof, seconds=seconds)
    if not units or len(named) == 0 or "stages" in units:
        for stage in find_stages():
            name = type(stage).__name__
            if wanted(name) or "stages" in units:
                if STAGES.get(name, False) and not (long or units):
                    continue
                yield name, lambda seconds, stage=stage: prove_stage(stage, seconds=seconds)


def _row(outcome: Outcome) -> str:
    return f"{outcome.unit:36}  {outcome.rule:66}  {outcome.verdict:32}  {outcome.seconds:6.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.prove", description="Prove the rules of hardware units.")
    parser.add_argument("units", nargs="*", metavar="UNIT", help="how its name begins, or `stages`; default: all")
    parser.add_argument("--list", action="store_true", help="the units and no proof")
    parser.add_argument("--long", action="store_true", help="those that take minutes, too")
    parser.add_argument("--planted", action="store_true", help="plant faults in copies of units: each must be found")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--jobs", type=int, default=default_threads(), metavar="N", help="units at the same time")
    parser.add_argument("--seconds", type=int, default=300, metavar="S", help="at most, for a rule")
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.seconds < 1:
        raise OptionError("--jobs and --seconds must be at least 1")
    chosen = list(_chosen(options.units, long=options.long, planted=options.planted))
    if not chosen:
        raise OptionError(f"no unit's name begins with {' or '.join(options.units)}")
    if options.list:
        print("\n".join(name for name, _ in chosen))
        return
    warnings.simplefilter("ignore", UnusedElaboratable)  # parts of a unit that a proof has put others in place of
    begun, found = time.monotonic(), []
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda task: task[1](options.seconds), chosen)
        for outcomes in tqdm(results, total=len(chosen), unit="unit", file=sys.stderr):
            found += outcomes
            for outcome in outcomes:
                if not options.json:
                    tqdm.write(_row(outcome), file=sys.stdout)
    good = [outcome for outcome in found if outcome.broken == options.planted and (options.planted or outcome.kept)]
    if options.json:
        print(json.dumps(_summary(found, good, time.monotonic() - begun)))
    elif options.planted:
        print(f"{len(good)} of {len(found)} planted faults found")
    else:
        bounded = sum(outcome.bounded for outcome in good)
        print(f"{len(good)} of {len(found)} rules hold, {bounded} of them within a bound")
    raise SystemExit(0 if len(good) == len(found) else 1)


def _summary(found: list[Outcome], good: list[Outcome], seconds: float) -> dict[str, Any]:
    return {"rules": [asdict(outcome) | {"verdict": outcome.verdict} for outcome in found], "good": len(good),
            "seconds": round(seconds, 1)}


if __name__ == "__main__":
    run_command(main)
