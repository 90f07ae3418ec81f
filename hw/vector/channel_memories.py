"""The memories with a word for every channel: residual stream, norm gains, tap parameters."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.shapes import LOAD_ELEMENT
from hw.vector.tap import TAP
from models.machine.descriptor import LoadTarget

__all__ = ["CHANNEL", "CHANNEL_RANGE", "RESIDUAL_WRITE", "ChannelMemories"]

CHANNEL = data.StructLayout({"h": signed(32), "gain": signed(16), "tap": TAP, "last": 1})
CHANNEL_RANGE = data.StructLayout({"count": unsigned(16), "base": unsigned(16)})
RESIDUAL_WRITE = data.StructLayout({"index": unsigned(16), "h": signed(32)})


class ChannelMemories(wiring.Component):
    """Gives the channels 0 .. count - 1 in order, each with its residual value, gain and tap.

    The residual stream holds `rows` rows one after another: `base` is the index of the row's first word, while
    gains and taps serve all rows. A transfer on `start` (count >= 1) makes the channels come on `o`, one a
    cycle from two cycles later on; the next start is taken behind the last channel.
    `i_load` writes elements of targets RESIDUAL, GAIN and TAP and takes those of other targets without effect;
    `i_residual` writes one word of the residual stream, always ready and before `i_load`. A read sees writes of
    earlier cycles. Reads beyond a memory are undefined and may happen to memories that the user ignores.
    """

    def __init__(self, residual_depth: int, channels: int):
        if residual_depth < 1 or channels < 1:
            raise ValueError(f"depths must be positive, got {residual_depth} and {channels}")
        self._residual_depth, self._channels = residual_depth, channels
        super().__init__({
            "i_load": In(stream.Signature(LOAD_ELEMENT)),
            "i_residual": In(stream.Signature(RESIDUAL_WRITE)),
            "start": In(stream.Signature(CHANNEL_RANGE)),
            "o": Out(stream.Signature(CHANNEL)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.residual = residual = memory.Memory(shape=signed(32), depth=self._residual_depth, init=[])
        m.submodules.gain = gain = memory.Memory(shape=signed(16), depth=self._channels, init=[])
        m.submodules.tap = tap = memory.Memory(shape=unsigned(64), depth=self._channels, init=[])
        reads = tuple(each.read_port() for each in (residual, gain, tap))
        residual_write, gain_write, tap_write = (each.write_port() for each in (residual, gain, tap))

        load, written = self.i_load.p, self.i_residual
        loading = self.i_load.valid & self.i_load.ready
        m.d.comb += [
            written.ready.eq(1),
            self.i_load.ready.eq(~written.valid),
            residual_write.en.eq(written.valid | (loading & (load.target == LoadTarget.RESIDUAL))),
            residual_write.addr.eq(Mux(written.valid, written.p.index, load.index)),
            residual_write.data.eq(Mux(written.valid, written.p.h, load.data)),
            gain_write.en.eq(loading & (load.target == LoadTarget.GAIN)),
            gain_write.addr.eq(load.index),
            gain_write.data.eq(load.data),
            tap_write.en.eq(loading & (load.target == LoadTarget.TAP)),
            tap_write.addr.eq(load.index),
            tap_write.data.eq(load.data),
        ]

        walking, fetched, fetched_last = Signal(), Signal(), Signal()
        index, left = Signal(16, reset_less=True), Signal(16, reset_less=True)
        residual_index = Signal(16, reset_less=True)
        enable = ~fetched | self.o.ready
        m.d.comb += [
            self.start.ready.eq(~walking & ~fetched),
            self.o.valid.eq(fetched),
            self.o.p.h.eq(reads[0].data),
            self.o.p.gain.eq(reads[1].data),
            self.o.p.tap.eq(reads[2].data),
            self.o.p.last.eq(fetched_last),
            reads[0].addr.eq(residual_index),
            reads[1].addr.eq(index),
            reads[2].addr.eq(index),
        ]
        m.d.comb += [port.en.eq(enable) for port in reads]
        with m.If(enable):
            m.d.sync += [fetched.eq(walking), fetched_last.eq(left == 1)]
        with m.If(enable & walking):
            m.d.sync += [index.eq(index + 1), residual_index.eq(residual_index + 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += walking.eq(0)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [walking.eq(1), index.eq(0), residual_index.eq(self.start.p.base), left.eq(self.start.p.count)]
        return m
