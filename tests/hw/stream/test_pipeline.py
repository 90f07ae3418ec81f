# amaranth: UnusedElaboratable=no
"""Pipeline: values keep together through its steps, in order, whatever stalls; a transfer a cycle without."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.stream.pipeline import Pipeline
from tests.hw.stream_table import Case, check


class Products(wiring.Component):
    """a * b + c in three steps, c carried along; `user` beside it."""

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"a": signed(9), "b": 8, "c": signed(12), "user": 7}))),
            "o": Out(stream.Signature(data.StructLayout({"y": signed(19), "user": 7}))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        p = Pipeline(m, self.i, self.o)
        a, b, c, user = p.step(self.i.p.a, self.i.p.b, self.i.p.c, self.i.p.user)
        product, c, user = p.step(a * b, c, user)
        y, user = p.step(product + c, user)
        p.finish(y=y, user=user)
        return m


def test_pipeline():
    rng, count = np.random.default_rng(1), 200
    a, b, c = rng.integers(-256, 256, count), rng.integers(0, 256, count), rng.integers(-2048, 2048, count)
    a[:2], b[:2], c[:2] = [-256, 255], 255, [-2048, 2047]
    given = [{"a": a[n], "b": b[n], "c": c[n], "user": n % 128} for n in range(count)]
    results = [{"y": a[n] * b[n] + c[n], "user": n % 128} for n in range(count)]
    check(Products(), [Case("many", inputs={"i": given}, outputs={"o": results}),
                       Case("one", inputs={"i": given[:1]}, outputs={"o": results[:1]})], stalls=(0.0, 0.3, 0.7))
