"""Products in slices are exact in every technology's multipliers, extremes of all digits among them."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.product import product_steps
from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.stream.pipeline import Pipeline
from tests.hw.stream_table import Case, check

WIDTHS = ((24, 24), (24, 40), (24, 37), (24, 36), (21, 21), (24, 18), (19, 19), (17, 1))


class Products(wiring.Component):
    """Of the low bits of one pair of operands, all WIDTHS at once."""

    def __init__(self) -> None:
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"a": 24, "b": 40}))),
            "o": Out(stream.Signature(data.StructLayout({f"p{n}": sum(widths) for n, widths in enumerate(WIDTHS)})))})

    def elaborate(self, platform) -> Module:
        m = Module()
        pipelines = []
        for n, (a_bits, b_bits) in enumerate(WIDTHS):
            given = stream.Signature(0).create(path=(f"given_{n}",))
            result = stream.Signature(data.StructLayout({"p": a_bits + b_bits})).create(path=(f"result_{n}",))
            m.d.comb += [given.valid.eq(self.i.valid), result.ready.eq(self.o.ready), self.o.p[f"p{n}"].eq(result.p.p)]
            p = Pipeline(m, given, result, platform)
            a, b = p.step(self.i.p.a[:a_bits], self.i.p.b[:b_bits])
            p.finish(p=product_steps(p, a, b)[0])
            pipelines.append((given, result))
        m.d.comb += [self.i.ready.eq(pipelines[0][0].ready), self.o.valid.eq(pipelines[0][1].valid)]
        return m


@pytest.mark.parametrize("technology", [ECP5, pytest.param(ULTRASCALE_PLUS, marks=pytest.mark.slow)],
                         ids=lambda technology: technology.name)
def test_exact(technology):
    rng = np.random.default_rng(1)
    extremes = [(a, b) for a in (0, 1, (1 << 17) - 1, 1 << 17, (1 << 18) - 1, 1 << 18, (1 << 24) - 1)
                for b in (0, 1, (1 << 18) - 1, 1 << 18, (1 << 36) - 1, 1 << 36, (1 << 40) - 1)]
    operands = extremes + [(int(a), int(b)) for a, b in zip(
        rng.integers(0, 1 << 24, 500), rng.integers(0, 1 << 40, 500), strict=True)]
    products = [{f"p{n}": (a % (1 << a_bits)) * (b % (1 << b_bits)) for n, (a_bits, b_bits) in enumerate(WIDTHS)}
                for a, b in operands]
    check(Products(), [Case("all widths", inputs={"i": [{"a": a, "b": b} for a, b in operands]},
                             outputs={"o": products})], technology=technology)
