"""What NORM takes its vector from, replayed as often as its passes ask."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR
from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.command import field_shapes
from hw.linear.reader import READ_REQUEST, sum_word
from hw.vector.channel_memories import READ_LATENCY, channel_read, residual_word
from hw.vector.gated import GatedProduct
from hw.vector.norm_control import NormPass
from hw.vector.norm_gain import norm_word
from models.machine.descriptor import NormSource as Source
from models.machine.descriptor import Opcode

__all__ = ["NORM_SOURCE", "NormSource", "source_ports"]

NORM_SOURCE = data.StructLayout({
    **field_shapes(Opcode.NORM, "source", "count", "group_channels", "gate_accumulator", "up_accumulator"),
    "silu": 1,
    "gate_scale": SCALAR,
    "row": unsigned(8),
    "base": unsigned(16),  # the row's first word in the residual memory
})


def source_ports(lanes: int) -> dict[str, wiring.Member]:
    """To and from those that have the values."""
    return {
        "memory": Out(channel_read(residual_word(lanes))),
        "o_attention": Out(stream.Signature(OUTPUT_REQUEST)),
        "i_attention": In(stream.Signature(output_word(lanes))),
        "o_gate": Out(stream.Signature(READ_REQUEST)),
        "i_gate": In(stream.Signature(sum_word(lanes))),
        "o_up": Out(stream.Signature(READ_REQUEST)),
        "i_up": In(stream.Signature(sum_word(lanes))),
    }


class NormSource(wiring.Component):
    """For each transfer on `i_pass`, one row of `count` channels on `o`, a multiple of `lanes`, by sign and size.

    The values come from the residual memory (`memory`), from attention's results (`o_attention`, `i_attention`) or
    are the gated product of two ranges of sums (`o_gate`, `i_gate`, `o_up`, `i_up`). `settings` hold still during
    passes. One word a cycle, without backpressure; the next pass is taken behind the last word. Golden:
    `gated_product` for the product.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "settings": In(NORM_SOURCE),
            "i_pass": In(stream.Signature(NormPass)),
            "o": Out(stream.Signature(norm_word(lanes), always_ready=True)),
            **source_ports(lanes),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        settings = self.settings
        from_residual, from_attention, from_gated = (
            Signal(name=f"from_{source.name.lower()}") for source in (Source.RESIDUAL, Source.ATTENTION, Source.GATED))
        m.d.sync += [from_residual.eq(settings.source == Source.RESIDUAL),
                     from_attention.eq(settings.source == Source.ATTENTION),
                     from_gated.eq(settings.source == Source.GATED)]

        # Requests of a pass, each outstanding until its reader takes it.
        active, begin = Signal(), Signal()
        requests = (self.o_attention, self.o_gate, self.o_up)
        pending = Signal(len(requests))
        m.d.comb += self.i_pass.ready.eq(~active)
        m.d.sync += begin.eq(self.i_pass.valid & ~active)
        with m.If(self.i_pass.valid):
            m.d.sync += active.eq(1)
        for n, request in enumerate(requests):
            m.d.comb += [request.valid.eq(pending[n]), request.p.count.eq(settings.count),
                         request.p.row.eq(settings.row)]
            with m.If(request.ready):
                m.d.sync += pending[n].eq(0)
        m.d.comb += [
            self.o_attention.p.group_channels.eq(settings.group_channels),
            self.o_gate.p.accumulator.eq(settings.gate_accumulator),
            self.o_up.p.accumulator.eq(settings.up_accumulator),
        ]
        with m.If(begin):
            m.d.sync += pending.eq(Cat(from_attention, from_gated, from_gated))

        values, valid, last = self._plain(m, begin, from_residual, from_attention)
        lanes = self._gated(m)
        plain = data.View(self.o.p.channels.shape(), values)
        o = self.o
        m.d.sync += [
            o.valid.eq(Mux(from_gated, lanes[0].o.valid, valid)),
            o.p.last.eq(Mux(from_gated, lanes[0].o.p.last, last)),
            *(o.p.channels[n].size.eq(Mux(from_gated, lanes[n].o.p.size, plain[n].size)) for n in range(self._lanes)),
            *(o.p.channels[n].negative.eq(Mux(from_gated, lanes[n].o.p.negative, plain[n].negative))
              for n in range(self._lanes)),
        ]
        with m.If(o.valid & o.p.last):
            m.d.sync += active.eq(0)
        return m

    def _plain(self, m: Module, begin: Signal, from_residual: Signal,
               from_attention: Signal) -> tuple[Signal, Signal, Signal]:
        """Sign and size of residual values or attention's results, and when they are there."""
        lane_bits = exact_log2(self._lanes)
        walking, index, left = Signal(), Signal(16, reset_less=True), Signal(16 - lane_bits, reset_less=True)
        m.d.comb += [self.memory.index.eq(index), self.i_attention.ready.eq(1)]
        with m.If(walking):
            m.d.sync += [index.eq(index + 1), left.eq(left - 1), walking.eq(left != 1)]
        with m.If(begin):
            m.d.sync += [walking.eq(from_residual), index.eq(self.settings.base),
                         left.eq(self.settings.count >> lane_bits)]
        read = Cat(walking, left == 1)
        for n in range(READ_LATENCY):
            later = Signal(2, name=f"read_{n}")
            m.d.sync += later.eq(read)
            read = later

        values = Signal(self.o.p.channels.shape(), reset_less=True)
        valid, last = Signal(), Signal()
        m.d.sync += [valid.eq(Mux(from_attention, self.i_attention.valid, read[0])),
                     last.eq(Mux(from_attention, self.i_attention.p.last, read[1]))]
        for n in range(self._lanes):
            x = Mux(from_attention, self.i_attention.p.values[n], self.memory.word[n])
            m.d.sync += [values[n].size.eq(abs(x)), values[n].negative.eq(x < 0)]
        return values, valid, last

    def _gated(self, m: Module) -> list[GatedProduct]:
        """The products of the lanes, in step."""
        both = self.i_gate.valid & self.i_up.valid
        m.d.comb += [self.i_gate.ready.eq(self.i_up.valid), self.i_up.ready.eq(self.i_gate.valid)]
        lanes = [GatedProduct() for _ in range(self._lanes)]
        for n, lane in enumerate(lanes):
            m.submodules[f"gated_{n}"] = lane
            m.d.comb += [
                lane.silu.eq(self.settings.silu),
                lane.gate_scale.eq(self.settings.gate_scale),
                lane.i.valid.eq(both),
                lane.i.p.gate.eq(self.i_gate.p.values[n]),
                lane.i.p.up.eq(self.i_up.p.values[n]),
                lane.i.p.last.eq(self.i_gate.p.last if n == 0 else 0),
                lane.o.ready.eq(1),
            ]
        return lanes
