"""The residual addition: a linear layer's sums, rescaled, onto the int32 stream; behind it a tap or closed loop."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, power_of_two
from hw.arith.scalar_unit import ScalarPort
from hw.linear.reader import sum_word
from hw.vector.channel_memories import READ_LATENCY, channel_read, residual_word, residual_write
from hw.vector.closed_loop import LOOP_SETTINGS, ClosedLoop
from hw.vector.rescale import Rescale, RescalePort
from hw.vector.tap import TAP_EXPONENTS
from hw.vector.word_tap import WordTapPort, tap_products
from models.machine.descriptor import Loop

__all__ = ["RESIDUAL_SETTINGS", "ResidualAdd"]

RESIDUAL_SETTINGS = data.StructLayout({"scale": SCALAR, "fraction_bits": signed(8), "base": 16, "tapped": 1,
                                       "exponents": TAP_EXPONENTS, "loop": LOOP_SETTINGS})
"""`scale`: value of one unit of a sum; `base`: the row's first word in the residual memory; `loop`: with `tapped`, of
the closed loop in the tap's place."""

_EXTRA = Rescale.LATENCY - READ_LATENCY


class ResidualAdd(wiring.Component):
    """h + sum * scale * 2**fraction_bits, saturated to 32 bits, then the tap or loop; a row's words, one a cycle.

    Contract: golden `residual_add` (docs/numerics.md §9). The sums of a row come on `i`; `settings` hold still until
    `done`, which pulses behind the row's `last` word on `o_write`. The words of the residual memory are read through
    `memory` when the sums are rescaled, by `rescale`, and go through `tap` where `tapped`. `saturations`: how many
    channels the addition clipped, cycle by cycle. No backpressure. With a loop the row is written before the tap, whose
    `products` are summed; where the loop acts, the row goes the whole way once more, with nothing to add, and is
    written behind the tap.

    Widths: the sum of two 32-bit values takes signed(33). From a word of sums to its write: Rescale.LATENCY + 4
    cycles, and WordTap.LATENCY more. With a loop a row takes its words' cycles once more, and about 70.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "settings": In(RESIDUAL_SETTINGS),
            "i": In(stream.Signature(sum_word(lanes), always_ready=True)),
            "memory": Out(channel_read(residual_word(lanes))),
            "rescale": Out(RescalePort(lanes)),
            "tap": Out(WordTapPort(lanes)),
            "products": In(tap_products(lanes)),
            "scalar": Out(ScalarPort()),
            "o_write": Out(stream.Signature(residual_write(lanes), always_ready=True)),
            "done": Out(1),
            "saturations": Out(range(lanes + 1)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        settings, rescaled, lanes = self.settings, self.rescale.results, self._lanes
        m.submodules.loop = loop = ClosedLoop(lanes)
        connect(m, flipped(self.scalar), loop.scalar)
        looped = settings.tapped & (settings.loop.acts != Loop.NONE)
        valid, last = self.i.valid | loop.again.valid, Mux(loop.again.valid, loop.again.last, self.i.p.last)
        m.d.comb += [
            self.rescale.words.valid.eq(valid),
            Value.cast(self.rescale.words.p.a).eq(Mux(loop.second, 0, Value.cast(settings.scale))),
            self.rescale.words.p.fraction.eq(settings.fraction_bits),
            self.rescale.words.p.last.eq(last),
            *(self.rescale.words.p.x[n].eq(self.i.p.values[n]) for n in range(lanes)),
        ]

        # h is asked for so late that it comes together with what is added to it.
        asks = Cat(valid, last)
        for n in range(_EXTRA):
            later = Signal(2, name=f"asks_{n}")
            m.d.sync += later.eq(asks)
            asks = later
        m.d.comb += self.memory.index.eq(self._number(m, asks[0], asks[1]))

        total, totals = Signal(data.ArrayLayout(signed(33), lanes), reset_less=True), Signal()
        clipped, added = Signal(residual_word(lanes), reset_less=True), Signal()
        total_last, added_last, over = Signal(), Signal(), Signal(lanes)
        m.d.sync += [
            totals.eq(rescaled.valid), total_last.eq(rescaled.p.last),
            added.eq(totals), added_last.eq(total_last),
            *(total[n].eq(rescaled.p.y[n] + self.memory.word[n]) for n in range(lanes)),
            *(clipped[n].eq(saturate(total[n], 32)) for n in range(lanes)),
            *(over[n].eq(totals & (saturate(total[n], 32) != total[n])) for n in range(lanes)),
            self.saturations.eq(sum(over)),
        ]
        m.d.comb += [
            self.tap.settings.narrow.eq(1),
            Value.cast(self.tap.settings.rho).eq(
                Mux(loop.second, Value.cast(loop.rho), power_of_two(settings.fraction_bits))),
            self.tap.settings.ungained.eq(loop.second),
            self.tap.settings.mirrored.eq(loop.second & loop.mirrored),
            self.tap.settings.exponents.eq(settings.exponents),
            self.tap.words.valid.eq(added & settings.tapped),
            self.tap.words.p.last.eq(added_last),
            *(self.tap.words.p.x[n].eq(clipped[n]) for n in range(lanes)),
            loop.settings.eq(settings.loop), loop.products.eq(self.products),
            loop.entering.valid.eq(added & looped & ~loop.second), loop.entering.last.eq(added_last),
        ]

        tapped, write_last = self.tap.results, Signal()
        behind = settings.tapped & (~looped | loop.second)
        written = self.o_write.valid & write_last
        m.d.sync += [
            self.o_write.valid.eq(Mux(behind, tapped.valid, added)),
            write_last.eq(Mux(behind, tapped.p.last, added_last)),
            *(self.o_write.p.h[n].eq(Mux(behind, tapped.p.x[n], clipped[n])) for n in range(lanes)),
            self.done.eq((written & (~looped | loop.second)) | loop.idle_row),
        ]
        m.d.comb += [loop.written.eq(written),
                     self.o_write.p.index.eq(self._number(m, self.o_write.valid, write_last))]
        return m

    def _number(self, m: Module, moves: Value, last: Value) -> Value:
        """The number of a row's word in the residual memory: `base`, and one more behind each that moves."""
        first, following = Signal(init=1), Signal(16, reset_less=True)
        number = Mux(first, self.settings.base, following)[:16]
        with m.If(moves):
            m.d.sync += [first.eq(last), following.eq(number + 1)]
        return number
