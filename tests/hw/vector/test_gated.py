"""GatedProduct and Sigmoid equal golden gated_product and sigmoid."""

from __future__ import annotations

import numpy as np
import pytest

from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.vector.gated import GatedProduct, Sigmoid
from models.golden.gated import gated_product, sigmoid
from models.golden.scalar import constant
from tests.hw.arith.scalars import as_fields
from tests.hw.stream_table import Case, check

COUNT = 800


def _case(activation: str, seed: int) -> Case:
    rng = np.random.default_rng([len(activation), seed])
    gate, up = (rng.integers(-(1 << 23) + 1, 1 << 23, COUNT) >> rng.integers(0, 22, COUNT) for _ in range(2))
    edge = (1 << 20) - 1
    gate[:6], up[:6] = (edge, -edge, edge + 1, 0, -1, 1), (edge, edge, -edge - 1, 5, -1, 1)
    scale = constant(3.1e-4)
    product, _ = gated_product(gate[None], scale[None], up[None], constant(1)[None], activation)
    pairs = [{"gate": gate[n], "up": up[n], "last": n % 7 == 0} for n in range(COUNT)]
    results = [{"size": abs(product[0, n]), "negative": (gate[n] < 0) != (up[n] < 0), "last": n % 7 == 0}
               for n in range(COUNT)]
    return Case(f"{activation}, seed {seed}", settings={"gate_scale": as_fields(scale), "silu": activation == "silu"},
                inputs={"i": pairs}, outputs={"o": results})


@pytest.mark.parametrize("technology", [ULTRASCALE_PLUS, pytest.param(ECP5, marks=pytest.mark.slow)],
                         ids=["ultrascale-plus", "ecp5"])
def test_equals_golden(technology):
    check(GatedProduct(), [_case(activation, seed) for activation in ("relu2", "silu") for seed in (0, 1)],
          technology=technology)


def test_sigmoid_equals_golden():
    t = np.concatenate([np.arange(-(1 << 18) + 1, 1 << 18, 331), [0, -1, 511, 512, (1 << 18) - 1]])
    operands = [{"t": value, "user": n & 511} for n, value in enumerate(t)]
    results = [{"y": value, "user": n & 511} for n, value in enumerate(sigmoid(t))]
    check(Sigmoid(9), [Case("from end to end", inputs={"i": operands}, outputs={"o": results})], stalls=[0.2])
