"""Inputs of linear layers and head on their way to the engines: what norms make of rows, and what the host loads."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, from_word
from hw.linear.activations import activation_layout
from hw.memory.shapes import LOAD_WORD
from hw.vector.norm_quant import quantised_word
from models.machine.descriptor import LoadTarget

__all__ = ["INPUT_ROW", "STEP_WRITE", "LayerInputs"]

INPUT_ROW = data.StructLayout({"levels16": 1, "index": 8, "offset": 8, "count": 16})
"""Of a norm's row: whether it is the head's; its number, that counted from the command's first; its channels."""

STEP_WRITE = data.StructLayout({"row": 8, "unit": SCALAR})


class LayerInputs(wiring.Component):
    """A norm's words to `o_linear` or, with levels16, as row `offset` to `o_head`; loaded ones between them.

    `i` is always taken and goes out in the same cycle; `coming` is high in the cycle before each of its transfers.
    `i_load` takes words of targets INPUT and HEAD_INPUT, of `lanes` channels, and STEP, whose values leave the cycle
    after, on `o_linear`, `o_head` and `o_step`, and those of other targets without effect. Inputs wait while a norm's
    words come.

    `counting` pulses when a row of `i` stands as it was sent last, some cycles behind it; in the cycle after,
    `activations` and `zeros` are the row's channels and how many of them are 0, and else nothing.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "row": In(INPUT_ROW),
            "i": In(stream.Signature(quantised_word(lanes), always_ready=True)),
            "coming": In(1),
            "counting": In(1),
            "i_load": In(stream.Signature(LOAD_WORD)),
            "o_linear": Out(stream.Signature(activation_layout(8, lanes), always_ready=True)),
            "o_head": Out(stream.Signature(activation_layout(16, lanes), always_ready=True)),
            "o_step": Out(stream.Signature(STEP_WRITE, always_ready=True)),
            "zeros": Out(16),
            "activations": Out(16),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        row, words = self.row, self.i
        load, given = Signal(LOAD_WORD, reset_less=True), self.i_load
        m.d.sync += load.eq(given.p)
        index = Signal(16)
        with m.If(words.valid):
            m.d.sync += index.eq(Mux(words.p.last, 0, index + self._lanes))

        inputs = (LoadTarget.INPUT, LoadTarget.HEAD_INPUT)
        m.d.comb += given.ready.eq(~(self.coming & ((given.p.target == inputs[0]) | (given.p.target == inputs[1]))))
        targets = zip(inputs, (self.o_linear, self.o_head), (~row.levels16, row.levels16), (row.index, row.offset),
                      strict=True)
        for target, o, chosen, number in targets:
            loading, width = Signal(name=f"loading_{target.name.lower()}"), o.p["values"][0].shape().width
            m.d.sync += loading.eq(given.valid & given.ready & (given.p.target == target))
            m.d.comb += [
                o.valid.eq((words.valid & chosen) | loading),
                o.p.row.eq(Mux(loading, load.row, number)), o.p.index.eq(Mux(loading, load.index, index)),
                *(o.p["values"][n].eq(Mux(loading, load.data.word_select(n, 16), words.p["values"][n])[:width])
                  for n in range(self._lanes)),
            ]

        mantissa, exponent = from_word(load.data)
        m.d.sync += self.o_step.valid.eq(given.valid & given.ready & (given.p.target == LoadTarget.STEP))
        m.d.comb += [self.o_step.p.row.eq(load.row + load.index),
                     self.o_step.p.unit.m.eq(mantissa), self.o_step.p.unit.e.eq(exponent)]
        self._count(m, words, index)
        return m

    def _count(self, m: Module, words, index: Signal) -> None:
        zeros, first, row_zeros = Signal(self._lanes), Signal(), Signal(16)  # of the row, as it was sent last
        m.d.sync += [
            *(zeros[n].eq(words.valid & (words.p["values"][n] == 0)) for n in range(self._lanes)),
            first.eq(words.valid & (index == 0)),
            row_zeros.eq(Mux(first, 0, row_zeros) + sum(zeros)),
            self.zeros.eq(Mux(self.counting, row_zeros, 0)),
            self.activations.eq(Mux(self.counting, self.row.count, 0)),
        ]
