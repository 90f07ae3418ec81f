"""Plant a wrong bit in each unit of golden model, emulator and RTL, one at a time; show which test sees it.

`python -m scripts.plant_faults [--only golden|emulator|rtl]`. Exit status 1 if a fault goes unseen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from sim.fault import FAULT_VARIABLE

__all__ = ["FAULTS", "Fault", "main"]


class Fault(NamedTuple):
    """A unit and the test that must see its fault. place: module:function, or for RTL the component's name."""

    model: str
    place: str
    test: str


_GOLDEN = "tests/models/golden/"
_EMULATOR = "tests/host/test_emulator.py"
_HW = "tests/hw/"

FAULTS: tuple[Fault, ...] = (
    *(Fault("golden", f"models.golden.{place}", _GOLDEN + test) for place, test in (
        ("rounding:round_shift", "test_rounding.py"), ("scalar:mul", "test_scalar.py"),
        ("scalar:add", "test_scalar.py"), ("scalar:div", "test_scalar.py"), ("scalar:sqrt", "test_scalar.py"),
        ("scalar:from_int", "test_scalar.py"), ("scalar:scale_round", "test_scalar.py"),
        ("norm_quant:norm_quant", "test_norm_quant.py"), ("tap:tap", "test_units.py"),
        ("ternary_matmul:ternary_matmul", "test_units.py"), ("rope:rope", "test_units.py"),
        ("head_quant:head_quant", "test_units.py"), ("attention:exp2_negative", "test_attention.py"),
        ("attention:attention", "test_attention.py"), ("gated:sigmoid", "test_units.py"),
        ("gated:gated_product", "test_units.py"), ("residual:residual_add", "test_units.py"),
        ("residual:embed", "test_units.py"), ("head:logits", "test_units.py"), ("head:top_k", "test_units.py"))),
    *(Fault("emulator", f"host.emulator.{place}", _EMULATOR) for place in (
        "machine:matmul", "machine:norm_quant", "machine:rope", "machine:head_quant", "machine:attention_rows",
        "machine:gated_product", "machine:residual_add", "machine:scale_round", "machine:top_k")),
)


def _run(fault: Fault) -> tuple[bool, str]:
    """Whether the fault's test failed, and its last line."""
    environment = os.environ | {FAULT_VARIABLE: fault.place}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "scripts.fault_plugin",
               "--no-header", "--tb=no", fault.test]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = result.stdout.strip().splitlines()
    return result.returncode == 1, lines[-1] if lines else result.stderr.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Plant a wrong bit in each unit; every one must be seen by a test.")
    parser.add_argument("--only", choices=["golden", "emulator", "rtl"], help="units of one of the three")
    options = parser.parse_args(arguments)
    chosen = [fault for fault in FAULTS if options.only in (None, fault.model)]
    unseen = 0
    for fault in tqdm(chosen, unit="fault", file=sys.stderr):
        seen, line = _run(fault)
        unseen += not seen
        tqdm.write(f"{'seen  ' if seen else 'UNSEEN'}  {fault.model:8}  {fault.place:40}  {fault.test}  {line}",
                   file=sys.stdout)
    print(f"{len(chosen) - unseen} of {len(chosen)} faults seen")
    raise SystemExit(1 if unseen else 0)


if __name__ == "__main__":
    main()
