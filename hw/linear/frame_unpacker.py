"""Weight beats to the table indices of one step of the look-up array."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.adder_tree import AdderTree
from hw.linear.base3_decoder import Base3Decoder
from hw.linear.group_index import INDEX_BITS, group_index
from models.machine.build import FRAME_BEATS, TRITS_PER_GROUP, BuildParameters

__all__ = ["FrameUnpacker"]

_GROUP_BITS = 2 * TRITS_PER_GROUP


class FrameUnpacker(wiring.Component):
    """Beats in stream order -> steps: for Q outputs of one tile, the T groups' table indices.

    Frames of three beats hold 10 outputs x T groups, hence 10 / Q steps, outputs ascending. The index of
    a group of three inputs is `group_index` of their trits.

    `i_beats`: build.beat_bytes bytes, byte 0 lowest. `o_steps`: [Q][T] indices. `invalid_bytes`: the number
    of bytes above 242 in an accepted beat, a few cycles later; 0 in all other cycles.

    Beats are decoded as they come, into one of two frame buffers, while the other one is being sent: a
    beat and a step a cycle, as long as beats suffice. Latency: 2 cycles from a frame's last beat to its
    first step. Backpressure reaches `i_beats` when both buffers are full.
    Format: `models.machine.layout.weight_stream`.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        self._invalid_count = AdderTree(1, build.beat_bytes)
        step = data.ArrayLayout(data.ArrayLayout(INDEX_BITS, build.tables), build.outputs_per_step)
        super().__init__({
            "i_beats": In(stream.Signature(build.beat_bytes * 8)),
            "o_steps": Out(stream.Signature(step)),
            "invalid_bytes": Out(self._invalid_count.total.shape()),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        steps_per_frame = build.outputs_per_frame // build.outputs_per_step
        groups_per_step = build.tables * build.outputs_per_step

        digits, invalid = [], []
        for n in range(build.beat_bytes):
            m.submodules[f"decoder_{n}"] = decoder = Base3Decoder()
            m.d.comb += decoder.byte.eq(self.i_beats.payload.word_select(n, 8))
            digits.append(decoder.digits.as_value())
            invalid.append(decoder.invalid)

        # the frame that is being collected: the newest beat enters at the top
        beat = Cat(digits)
        collected = Signal(FRAME_BEATS * len(beat), reset_less=True)
        beats = Signal(range(FRAME_BEATS + 1))
        # the frame that is being sent: the next step lies at the bottom
        sending = Signal.like(collected)
        steps = Signal(range(steps_per_frame + 1))

        collect, load, send = Signal(), Signal(), Signal()
        m.d.comb += [
            send.eq((steps != 0) & (~self.o_steps.valid | self.o_steps.ready)),
            load.eq((beats == FRAME_BEATS) & ((steps == 0) | (send & (steps == 1)))),
            self.i_beats.ready.eq((beats != FRAME_BEATS) | load),
            collect.eq(self.i_beats.valid & self.i_beats.ready),
        ]
        m.d.sync += beats.eq(Mux(load, 0, beats) + collect)
        with m.If(collect):
            m.d.sync += collected.eq(Cat(collected[len(beat):], beat))
        with m.If(load):
            m.d.sync += [sending.eq(collected), steps.eq(steps_per_frame)]
        with m.Elif(send):
            m.d.sync += [sending.eq(sending >> _GROUP_BITS * groups_per_step), steps.eq(steps - 1)]

        groups = (sending.word_select(n, _GROUP_BITS) for n in range(groups_per_step))
        indices = Cat(*(Cat(*group_index(group)) for group in groups))
        with m.If(send):
            m.d.sync += [self.o_steps.payload.eq(indices), self.o_steps.valid.eq(1)]
        with m.Elif(self.o_steps.ready):
            m.d.sync += self.o_steps.valid.eq(0)

        m.submodules.invalid_count = count = self._invalid_count
        for term, bad in zip(count.terms, invalid, strict=True):
            m.d.sync += term.eq(bad & collect)
        m.d.comb += self.invalid_bytes.eq(count.total)
        return m
