"""Rows on their way to memory where a pass is cut: residual stream, attention's results or sums."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR, power_of_two, to_word
from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.command import field_shapes
from hw.linear.reader import READ_REQUEST, sum_word
from hw.memory.axi import ADDRESS_BITS
from hw.memory.burst_former import BurstPort
from hw.vector.channel_memories import READ_LATENCY, channel_read, residual_word
from models.machine.build import BURST_BEATS
from models.machine.descriptor import Opcode
from models.machine.descriptor import StoreSource as Source

__all__ = ["STORE_SETTINGS", "Store"]

_BEAT_BITS = 4  # of an address, within a beat
_BEAT_CHANNELS = 4
_BURST_BITS = (BURST_BEATS - 1).bit_length()

STORE_SETTINGS = data.StructLayout({
    **field_shapes(Opcode.STORE, "source", "count", "accumulator", "group_channels", "address", "steps"),
    "row": 8,
    "offset": 8,  # of the row among the command's
    "base": 16,  # the row's first word in the residual memory
    "unit": SCALAR,  # value of one unit of the input that sums are products of
})


class Store(wiring.Component):
    """Write a row of `count` int32 values, a multiple of 4, to `address`, rows of a command behind each other.

    The values come from the residual memory (`memory`), from attention's results (`o_attention`, `i_attention`) or are
    sums (`o_sums`, `i_sums`). Behind a row of the latter two goes the word of one unit to steps + offset * 16, four
    bytes of a beat: of 2**exponent, steady from two cycles before the row's first word on, and of `unit`. Both
    addresses are multiples of 16.

    `settings` hold still from `start` until `done`, which pulses when the last beat has left the `BurstFormer` behind
    `write`. offset 0 begins at `address`, any other row where the one before ended. A word of `lanes` channels
    a cycle while there is room; about 20 cycles more a row.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "settings": In(STORE_SETTINGS),
            "start": In(1),
            "done": Out(1),
            "memory": Out(channel_read(residual_word(lanes))),
            "o_attention": Out(stream.Signature(OUTPUT_REQUEST)),
            "i_attention": In(stream.Signature(output_word(lanes))),
            "exponent": In(signed(10)),
            "o_sums": Out(stream.Signature(READ_REQUEST)),
            "i_sums": In(stream.Signature(sum_word(lanes))),
            "write": Out(BurstPort()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        settings, room, beat = self.settings, self.write.room, self.write.beat
        from_residual, from_attention, from_sums = (
            Signal(name=f"from_{source.name.lower()}") for source in Source)
        m.d.sync += [bit.eq(settings.source == source)
                     for bit, source in zip((from_residual, from_attention, from_sums), Source, strict=True)]
        m.d.comb += [
            self.o_attention.p.count.eq(settings.count), self.o_attention.p.row.eq(settings.row),
            self.o_attention.p.group_channels.eq(settings.group_channels),
            self.o_sums.p.count.eq(settings.count), self.o_sums.p.row.eq(settings.row),
            self.o_sums.p.accumulator.eq(settings.accumulator),
        ]

        # words of residual values are asked for by number, and there READ_LATENCY later; the others wait for room
        walking, taking, stepping = Signal(), Signal(), Signal()
        lane_bits = exact_log2(self._lanes)
        index, left = Signal(16, reset_less=True), Signal(16 - lane_bits, reset_less=True)
        coming = Cat(walking & room, left == 1)  # a word, the row's last one
        for n in range(READ_LATENCY):
            later = Signal(2, name=f"read_{n}")
            m.d.sync += later.eq(coming)
            coming = later
        m.d.comb += [
            self.memory.index.eq(index),
            self.i_attention.ready.eq(taking & from_attention & room), self.i_sums.ready.eq(taking & from_sums & room),
        ]
        with m.If(walking & room):
            m.d.sync += [index.eq(index + 1), left.eq(left - 1), walking.eq(left != 1)]

        parts = _BEAT_CHANNELS // self._lanes  # of a beat, a word each
        part, full = Signal(range(parts)), Signal()
        m.d.comb += full.eq(part == parts - 1)
        attention, sums = (s.valid & s.ready for s in (self.i_attention, self.i_sums))
        there, last = Signal(), Signal()  # a row's word, its last one
        m.d.comb += [there.eq(coming[0] | attention | sums),
                     last.eq(Mux(from_residual, coming[1], Mux(from_attention, self.i_attention.p.last,
                                                               self.i_sums.p.last)))]
        address, step_address = (Signal(ADDRESS_BITS - _BEAT_BITS, reset_less=True, name=name)
                                 for name in ("address", "step_address"))  # in beats
        unit, word = Signal(SCALAR, reset_less=True), Signal(32, reset_less=True)
        m.d.sync += [
            step_address.eq(settings.steps[_BEAT_BITS:] + settings.offset),
            unit.as_value().eq(Mux(from_attention, power_of_two(self.exponent), settings.unit.as_value())),
            word.eq(to_word(unit)),
            beat.valid.eq((there & full) | (stepping & room)),
            beat.p.address.eq(Cat(Const(0, _BEAT_BITS), Mux(stepping, step_address, address))),
            beat.p.strobe.eq(Mux(stepping, 0xF, 0xFFFF)),
            beat.p.last.eq(stepping | last | address[:_BURST_BITS].all()),
        ]
        for channel in range(_BEAT_CHANNELS):
            at, n = divmod(channel, self._lanes)
            value = Mux(from_residual, self.memory.word[n], Mux(
                from_attention, self.i_attention.p.values[n], self.i_sums.p.values[n]))
            with m.If(part == at):  # a step comes behind whole beats
                m.d.sync += beat.p.data.word_select(channel, 32).eq(
                    Mux(stepping, word, value) if channel == 0 else value)
        with m.If(there):
            m.d.sync += part.eq(part + 1)
            with m.If(full):
                m.d.sync += address.eq(address + 1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [index.eq(settings.base), left.eq(settings.count >> lane_bits)]
                with m.If(self.start):
                    with m.If(settings.offset == 0):
                        m.d.sync += address.eq(settings.address[_BEAT_BITS:])
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += [self.o_attention.valid.eq(from_attention), self.o_sums.valid.eq(from_sums)]
                m.d.sync += walking.eq(from_residual)
                with m.If(from_residual | Mux(from_attention, self.o_attention.ready, self.o_sums.ready)):
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += taking.eq(1)
                with m.If(there & last):
                    m.next = "STEP"
                    with m.If(from_residual):
                        m.next = "SENT"
            with m.State("STEP"):
                m.d.comb += stepping.eq(1)
                with m.If(room):
                    m.next = "SENT"
            with m.State("SENT"):
                with m.If(~beat.valid & self.write.idle):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m
