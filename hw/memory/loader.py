"""Loader: the LOAD engine, which fills on-chip memories with parameter vectors."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS, command_layout
from hw.memory.axi import DATA_BITS
from hw.memory.shapes import LOAD_ELEMENT, READ_REQUEST
from models.machine.descriptor import LoadTarget, Opcode

__all__ = ["ELEMENT_BYTES", "Loader"]

ELEMENT_BYTES = {LoadTarget.RESIDUAL: 4, LoadTarget.GAIN: 2, LoadTarget.TAP: 8, LoadTarget.ROPE: 2}


class Loader(wiring.Component):
    """Read `bytes` from address + position x address_stride and send them as elements of the target.

    Elements are 4 bytes for RESIDUAL, 2 for GAIN and ROPE, 8 for TAP, sign-extended to 64 bits; their
    indices ascend from `offset`. Bytes beyond a whole element are ignored. Address and stride are multiples
    of 16. One element a cycle. `retired` pulses when the last element is taken.

    read, beats: a `hw.memory.reader.Reader` of this engine alone.
    """

    def __init__(self) -> None:
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "position": In(16),
            "read": Out(stream.Signature(READ_REQUEST)),
            "beats": In(stream.Signature(DATA_BITS)),
            "o_load": Out(stream.Signature(LOAD_ELEMENT)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        layout = command_layout(Opcode.LOAD)
        command = data.View(layout, Signal(COMMAND_BITS, reset_less=True))
        product = Signal(layout["address_stride"].shape.width + self.position.shape().width, reset_less=True)
        address = Signal(self.read.payload.address.shape(), reset_less=True)

        # Bytes of the target's element, as a shift; the memories' enumeration is dense.
        shifts = Array((ELEMENT_BYTES[target] - 1).bit_length() for target in sorted(LoadTarget))
        shift = Signal(2, reset_less=True)
        elements = Signal(layout["bytes"].shape.width, reset_less=True)
        more, last = Signal(), Signal()  # elements != 0, elements == 1
        index = Signal(16, reset_less=True)

        held = Signal()  # a beat is being sent
        beat = Signal(DATA_BITS, reset_less=True)
        left = Signal(range(DATA_BITS // 16), reset_less=True)  # elements of the beat behind the one on offer
        moved, beat_ends = Signal(), Signal()
        m.d.comb += [
            self.read.payload.address.eq(address),
            self.read.payload.bytes.eq(elements << shift),
            self.o_load.payload.target.eq(command.target),
            self.o_load.payload.index.eq(index),
            moved.eq(self.o_load.valid & self.o_load.ready),
            beat_ends.eq(moved & (left == 0)),
        ]
        with m.Switch(shift):
            for width_log2 in (1, 2, 3):
                with m.Case(width_log2):
                    m.d.comb += self.o_load.payload.data.eq(beat[:8 << width_log2].as_signed())

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += command.eq(self.command.payload)
                with m.If(self.command.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [
                    product.eq(self.position * command.address_stride),
                    shift.eq(shifts[command.target]),
                ]
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [
                    address.eq(command.address + product),
                    elements.eq(command.bytes >> shift),
                    index.eq(command.offset),
                ]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.read.valid.eq(elements != 0)
                m.d.sync += [more.eq(elements != 0), last.eq(elements == 1)]
                with m.If((elements == 0) | self.read.ready):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [
                    self.o_load.valid.eq(held & more),
                    self.beats.ready.eq(more & (~held | (beat_ends & ~last))),
                ]
                with m.If(moved):
                    m.d.sync += [elements.eq(elements - 1), more.eq(~last), last.eq(elements == 2)]
                    m.d.sync += [index.eq(index + 1), left.eq(left - 1)]
                    with m.Switch(shift):
                        for width_log2 in (1, 2, 3):
                            with m.Case(width_log2):
                                m.d.sync += beat.eq(beat >> (8 << width_log2))
                with m.If(beat_ends | (moved & last)):
                    m.d.sync += held.eq(0)
                with m.If(self.beats.valid & self.beats.ready):
                    m.d.sync += [held.eq(1), beat.eq(self.beats.payload), left.eq((16 >> shift) - 1)]
                with m.If(~more):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
