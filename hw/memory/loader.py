"""Loader: the LOAD engine, which fills on-chip memories with parameter vectors."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.multiply_add import registered_product
from hw.boards.technology import PLAIN
from hw.command import COMMAND_BITS, POSITIONS, command_layout
from hw.memory.axi import DATA_BITS
from hw.memory.shapes import LOAD_CHANNELS, LOAD_WORD, READ_REQUEST
from models.machine.build import PORT_BYTES
from models.machine.descriptor import LoadTarget, Opcode

__all__ = ["CHANNEL_BYTES", "Loader"]

CHANNEL_BYTES = {LoadTarget.RESIDUAL: 4, LoadTarget.GAIN: 2, LoadTarget.TAP: 8, LoadTarget.ROPE: 2,
                 LoadTarget.INPUT: 2, LoadTarget.HEAD_INPUT: 2, LoadTarget.STEP: 16, LoadTarget.AFFINE: 4}

_HALF_BITS = DATA_BITS // 2


class Loader(wiring.Component):
    """Read `bytes` from address + positions[sequence] x address_stride and send them as words of the target.

    Channels have 4 bytes for RESIDUAL and AFFINE, 2 for GAIN, ROPE, INPUT and HEAD_INPUT, 8 for TAP; a row has 16 for
    STEP. A beat of 16 bytes is one word of four residual channels, of four affine or two other taps or of a row's step,
    or two words of four gains, angles or inputs; `data` is zero above them. The words' indices ascend from `offset`, in
    channels, or rows for STEP; their `row` is the command's. Bytes beyond a whole word are ignored. Address and stride
    are multiples of 16. One word a cycle, and `retired` pulses the cycle after the last one is taken; where the
    technology's wires are slow, every other cycle, and one later. `positions` hold still during a command.

    read, beats: a `hw.memory.reader.Reader` of this engine alone.
    """

    def __init__(self) -> None:
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "positions": In(POSITIONS),
            "read": Out(stream.Signature(READ_REQUEST)),
            "beats": In(stream.Signature(DATA_BITS)),
            "o_load": Out(stream.Signature(LOAD_WORD)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        layout = command_layout(Opcode.LOAD)
        command = data.View(layout, Signal(COMMAND_BITS, reset_less=True))
        position = Signal(self.positions[0].shape(), reset_less=True)
        product = registered_product(m, platform, position, command.address_stride)
        address = Signal(self.read.payload.address.shape(), reset_less=True)

        # The memories' enumeration is dense.
        targets = sorted(LoadTarget)
        halves = Array(int(LOAD_CHANNELS[t] * CHANNEL_BYTES[t] < PORT_BYTES) for t in targets)
        steps = Array(LOAD_CHANNELS[t] for t in targets)
        half, step = Signal(reset_less=True), Signal(range(max(LOAD_CHANNELS.values()) + 1), reset_less=True)
        words = Signal(layout["bytes"].shape.width, reset_less=True)
        index = Signal(16, reset_less=True)

        held, second = Signal(), Signal()  # a beat is being sent; its second half is
        beat = Signal(DATA_BITS, reset_less=True)
        taken, moved, beat_ends = Signal(), Signal(), Signal()
        # what follows a word that was taken: at once, or, where whoever takes it is far away, in the cycle after
        slow = (platform or PLAIN).slow_wires
        heard = m.d.sync if slow else m.d.comb
        heard += moved.eq(taken)
        none, one = Signal(reset_less=True), Signal(reset_less=True)  # words left
        m.d.comb += [
            self.read.payload.address.eq(address),
            self.read.payload.bytes.eq(Mux(half, words << 3, words << 4)),
            self.o_load.payload.target.eq(command.target),
            self.o_load.payload.row.eq(command.row),
            self.o_load.payload.index.eq(index),
            self.o_load.payload.data.eq(Mux(half, beat[:_HALF_BITS], beat)),
            taken.eq(self.o_load.valid & self.o_load.ready),
            beat_ends.eq(moved & (~half | second)),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += command.eq(self.command.payload)
                with m.If(self.command.valid):
                    m.next = "POSITION"
            with m.State("POSITION"):
                m.d.sync += position.eq(self.positions[command.sequence])
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [
                    half.eq(halves[command.target]),
                    step.eq(steps[command.target]),
                ]
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [
                    address.eq(command.address + product),
                    words.eq(Mux(half, command.bytes >> 3, command.bytes >> 4)),
                    index.eq(command.offset),
                ]
                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.sync += [none.eq(words == 0), one.eq(words == 1)]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.read.valid.eq(~none)
                with m.If(none | self.read.ready):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [
                    self.o_load.valid.eq(held & ~moved if slow else held),
                    self.beats.ready.eq(~none & (~held | (beat_ends & ~one))),
                ]
                with m.If(moved):
                    m.d.sync += [words.eq(words - 1), none.eq(one), one.eq(words == 2), index.eq(index + step),
                                 beat.eq(beat >> _HALF_BITS), second.eq(half & ~second)]
                with m.If(beat_ends | (moved & one)):
                    m.d.sync += [held.eq(0), second.eq(0)]
                with m.If(self.beats.valid & self.beats.ready):
                    m.d.sync += [held.eq(1), beat.eq(self.beats.payload)]
                with m.If(none):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
