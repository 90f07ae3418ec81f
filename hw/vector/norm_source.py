"""What NORM takes its vector from, replayed as often as its passes ask."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.linear.reader import READ_REQUEST, SUM_ELEMENT
from hw.vector.channel_memories import CHANNEL, CHANNEL_RANGE
from hw.vector.gated import GatedProduct
from hw.vector.norm_quant import NORM_CHANNEL, NormPass
from models.machine.descriptor import NormSource as Source

__all__ = ["NORM_SOURCE", "NormSource"]

NORM_SOURCE = data.StructLayout({
    "source": unsigned(2),  # models.machine.descriptor.NormSource
    "silu": 1,
    "gate_scale": SCALAR,
    "row": unsigned(8),
    "count": unsigned(16),
    "base": unsigned(16),  # of the row in the residual memory
    "group_channels": unsigned(16),
    "gate_accumulator": unsigned(16),
    "up_accumulator": unsigned(16),
})


class NormSource(wiring.Component):
    """For each transfer on `i_pass`, one row of `count` channels on `o`.

    The value comes from the residual memory, from attention's results (`o_attention`, `i_attention`) or is the
    gated product of two ranges of sums (`o_gate`, `i_gate`, `o_up`, `i_up`); gain and tap always from the
    channel memories (`o_channels`, `i_channels`), whose walk runs in step. `settings` hold still during passes.
    One channel a cycle; the next pass is taken behind the last channel. Golden: `gated_product` for the product.
    """

    def __init__(self):
        super().__init__({
            "settings": In(NORM_SOURCE),
            "i_pass": In(stream.Signature(NormPass)),
            "o": Out(stream.Signature(NORM_CHANNEL)),
            "o_channels": Out(stream.Signature(CHANNEL_RANGE)),
            "i_channels": In(stream.Signature(CHANNEL)),
            "o_attention": Out(stream.Signature(OUTPUT_REQUEST)),
            "i_attention": In(stream.Signature(OUTPUT_WORD)),
            "o_gate": Out(stream.Signature(READ_REQUEST)),
            "i_gate": In(stream.Signature(SUM_ELEMENT)),
            "o_up": Out(stream.Signature(READ_REQUEST)),
            "i_up": In(stream.Signature(SUM_ELEMENT)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.gated = gated = GatedProduct()
        settings = self.settings
        from_residual = settings.source == Source.RESIDUAL
        from_attention = settings.source == Source.ATTENTION
        from_gated = settings.source == Source.GATED

        # Requests of a pass, each outstanding until its reader takes it.
        active = Signal()
        requests = (self.o_channels, self.o_attention, self.o_gate, self.o_up)
        pending = Signal(len(requests))
        m.d.comb += self.i_pass.ready.eq(~active)
        for n, request in enumerate(requests):
            m.d.comb += [request.valid.eq(pending[n]), request.p.count.eq(settings.count)]
            with m.If(request.ready):
                m.d.sync += pending[n].eq(0)
        m.d.comb += [
            self.o_channels.p.base.eq(settings.base),
            self.o_attention.p.row.eq(settings.row),
            self.o_attention.p.group_channels.eq(settings.group_channels),
            self.o_gate.p.row.eq(settings.row),
            self.o_gate.p.accumulator.eq(settings.gate_accumulator),
            self.o_up.p.row.eq(settings.row),
            self.o_up.p.accumulator.eq(settings.up_accumulator),
        ]
        with m.If(self.i_pass.valid & self.i_pass.ready):
            m.d.sync += [active.eq(1), pending[0].eq(1), pending[1].eq(from_attention),
                         pending[2:].eq(from_gated.replicate(2))]

        both = self.i_gate.valid & self.i_up.valid
        m.d.comb += [
            gated.silu.eq(settings.silu),
            gated.gate_scale.eq(settings.gate_scale),
            gated.i.valid.eq(both),
            gated.i.p.gate.eq(self.i_gate.p.value),
            gated.i.p.up.eq(self.i_up.p.value),
            gated.i.p.last.eq(self.i_gate.p.last),
            self.i_gate.ready.eq(both & gated.i.ready),
            self.i_up.ready.eq(both & gated.i.ready),
        ]

        channels, attention = self.i_channels, self.i_attention
        value_valid = from_residual | Mux(from_attention, attention.valid, gated.o.valid)
        moved = self.o.valid & self.o.ready
        m.d.comb += [
            self.o.valid.eq(channels.valid & value_valid),
            self.o.p.gain.eq(channels.p.gain),
            self.o.p.tap.eq(channels.p.tap),
            self.o.p.last.eq(channels.p.last),
            channels.ready.eq(moved),
            attention.ready.eq(moved & from_attention),
            gated.o.ready.eq(moved & from_gated),
        ]
        with m.If(from_residual):
            m.d.comb += self.o.p.x.eq(channels.p.h)
        with m.Elif(from_attention):
            m.d.comb += self.o.p.x.eq(attention.p.x)
        with m.Else():
            m.d.comb += self.o.p.x.eq(gated.o.p.x)
        with m.If(moved & channels.p.last):
            m.d.sync += active.eq(0)
        return m
