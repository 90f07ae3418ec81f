"""One over each pair's sum of the softmax numerators, and the exponents of its results."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.arith.scalar import SCALAR, scalar_const
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort, ScalarUnit
from hw.attention.jobs import JOB, pair_row, pairs_last
from hw.attention.output_memory import ROW_EXPONENT
from hw.attention.softmax import softmax_totals
from models.machine.kv_format import kv_format
from models.machine.scalar_format import MANTISSA_BITS
from models.machine.tables import P_FRACTION

__all__ = ["Reciprocals", "job_reciprocals"]


def job_reciprocals(pairs: int) -> data.StructLayout:
    """A job, and what its pairs' sums are multiplied by."""
    return data.StructLayout({"job": JOB, "reciprocals": data.ArrayLayout(SCALAR, pairs)})


class Reciprocals(wiring.Component):
    """reciprocal[pair] = 1 / total[pair] for the pairs of a job, one after another, about 45 cycles each.

    On the way each pair's exponent goes out on `o_exponent` {row, group, exponent}, always taken. Golden: `reciprocal`
    and `exponents` of `attention`.
    """

    def __init__(self, *, pairs: int, kv_bits: int, context_max: int) -> None:
        self._pairs = pairs
        # beside the largest value scale
        self._unit = P_FRACTION - (MANTISSA_BITS - 1) - kv_format(kv_bits).output_fraction
        super().__init__({
            "i": In(stream.Signature(softmax_totals(pairs, context_max))),
            "o": Out(stream.Signature(job_reciprocals(pairs))),
            "o_exponent": Out(stream.Signature(ROW_EXPONENT)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.scalar = scalar = ScalarUnit((ScalarOp.FROM_INT, ScalarOp.DIV))
        port = ScalarPort().create()
        connect(m, port.operands, scalar.i)
        connect(m, scalar.o, port.result)
        scalars = ScalarSteps(m, port)
        pair, total = Signal(range(self._pairs)), Signal(SCALAR, reset_less=True)
        last = Signal(range(self._pairs), reset_less=True)
        given = Signal(self.i.p.shape(), reset_less=True)
        count = Signal.like(given.totals[0])
        row, exponent = Signal(2), Signal(signed(10))
        with m.Switch(pair):
            for number in range(self._pairs):
                with m.Case(number):
                    m.d.comb += [row.eq(pair_row(given.job, number)), exponent.eq(given.largest[number] + self._unit),
                                 count.eq(given.totals[number])]
        m.d.comb += self.o.p.job.eq(given.job)
        m.d.sync += [self.o_exponent.p.row.eq(given.job.row + row), self.o_exponent.p.group.eq(given.job.kv_head),
                     self.o_exponent.p.exponent.eq(exponent),
                     self.o_exponent.valid.eq(scalar.i.valid & scalar.i.ready & (scalar.i.p.op == ScalarOp.FROM_INT))]

        def go_on() -> None:
            m.d.sync += pair.eq(pair + 1)
            m.next = "TOTAL"
            with m.If(pair == last):
                m.next = "GO ON"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [given.eq(self.i.p), pair.eq(0), last.eq(pairs_last(self.i.p.job))]
                with m.If(self.i.valid):
                    m.next = "TOTAL"
            scalars.state("TOTAL", total, ScalarOp.FROM_INT, n=count, then="DIVIDE")
            scalars.state("DIVIDE", self.o.p.reciprocals[pair], ScalarOp.DIV, a=scalar_const(1), b=total, then=go_on)
            with m.State("GO ON"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
