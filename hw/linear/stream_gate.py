"""Lets exactly one command's beats through, and drops the stream's padding."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from models.machine.build import BURST_BEATS, FRAME_BEATS, BuildParameters

__all__ = ["StreamGate"]


class StreamGate(wiring.Component):
    """Passes the frames of one matrix, then takes and drops beats up to a whole number of bursts.

    `start` (while `done`): `tiles` x `outputs` / 10 frames of three beats follow; both are at least 1 tile
    and 10 outputs, `outputs` a multiple of 10. `done` is high while nothing is left to take; no beat is
    taken then. Combinational from `i` to `o`; backpressure passes through, padding is dropped a beat a cycle.
    Format: `models.machine.layout.weight_stream`.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        super().__init__({
            "start": In(1),
            "tiles": In(16),
            "outputs": In(16),
            "done": Out(1),
            "i": In(stream.Signature(build.beat_bytes * 8)),
            "o": Out(stream.Signature(build.beat_bytes * 8)),
        })

    def elaborate(self, platform):
        m = Module()
        outputs_per_frame = self._build.outputs_per_frame
        tiles, outputs_left, outputs = Signal(16), Signal(16), Signal(16)
        beat = Signal(range(FRAME_BEATS))
        in_burst = Signal(range(BURST_BEATS))
        m.d.comb += self.o.payload.eq(self.i.payload)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                m.d.sync += [tiles.eq(self.tiles), outputs.eq(self.outputs), outputs_left.eq(self.outputs),
                             beat.eq(0), in_burst.eq(0)]
                with m.If(self.start):
                    m.next = "FRAMES"

            with m.State("FRAMES"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
                with m.If(self.i.valid & self.o.ready):
                    m.d.sync += [in_burst.eq(in_burst + 1), beat.eq(beat + 1)]
                    with m.If(beat == FRAME_BEATS - 1):
                        m.d.sync += [beat.eq(0), outputs_left.eq(outputs_left - outputs_per_frame)]
                        with m.If(outputs_left == outputs_per_frame):
                            m.d.sync += [outputs_left.eq(outputs), tiles.eq(tiles - 1)]
                            with m.If(tiles == 1):
                                m.next = "PADDING"

            with m.State("PADDING"):
                with m.If(in_burst == 0):
                    m.next = "IDLE"
                with m.Else():
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(self.i.valid):
                        m.d.sync += in_burst.eq(in_burst + 1)
        return m
