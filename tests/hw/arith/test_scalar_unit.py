"""ScalarUnit equals golden mul, add, div, sqrt and from_int."""

from __future__ import annotations

import numpy as np

from hw.arith.scalar_unit import ScalarOp, ScalarUnit
from models.golden import scalar
from models.golden.scalar import Scalar
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.stream_table import Case, check

COUNT = 400


def _near(rng: np.random.Generator, a: Scalar) -> Scalar:
    """Scalars whose exponents lie about those of `a`, so that sums overlap."""
    b = random_scalars(rng, COUNT)
    return Scalar(b.m, np.where(b.m == 0, 0, np.clip(a.e + rng.integers(-26, 27, COUNT), -512, 511)))


def _case(op: ScalarOp) -> Case:
    rng = np.random.default_rng([11, op.value])
    a = random_scalars(rng, COUNT)
    b = _near(rng, a) if op == ScalarOp.ADD else random_scalars(rng, COUNT)
    n = rng.integers(0, (1 << 63) - 1, COUNT) >> rng.integers(0, 63, COUNT)
    n[:2] = 0, 1
    golden = {ScalarOp.MUL: lambda: scalar.mul(a, b), ScalarOp.ADD: lambda: scalar.add(a, b),
              ScalarOp.DIV: lambda: scalar.div(a, b), ScalarOp.SQRT: lambda: scalar.sqrt(a),
              ScalarOp.FROM_INT: lambda: scalar.from_int(n)}[op]()
    operands = [{"op": op.value, "a": as_fields(a[k]), "b": as_fields(b[k]), "n": n[k]} for k in range(COUNT)]
    results = [as_fields(golden[k]) for k in range(COUNT)]
    return Case(op.name, inputs={"i": operands}, outputs={"o": results})


def test_equals_golden():
    check(ScalarUnit(), [_case(op) for op in ScalarOp], stalls=[0.2])
