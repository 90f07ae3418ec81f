"""RMSNorm, tap and quantisation of one row, in passes over a source that replays it."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.largest import largest_lane
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import ScalarPort
from hw.vector.channel_memories import channel_read, gain_word
from hw.vector.norm_control import NORM_SETTINGS, V_BITS, NormControl, NormPass, NormRow
from hw.vector.norm_gain import PRODUCT_BITS, SIZE_BITS, NormGain, norm_word
from hw.vector.rescale import RescalePort
from hw.vector.word_tap import WordTapPort

__all__ = ["NormQuant", "quantised_word"]


def quantised_word(lanes: int) -> data.StructLayout:
    """Channels as levels of 8 or 16 bits."""
    return data.StructLayout({"values": data.ArrayLayout(signed(16), lanes), "last": 1})


class NormQuant(wiring.Component):
    """Normalise, tap and quantise one row of up to 8,192 channels, a multiple of `lanes`, these a cycle.

    Contract: golden `norm_quant` bit for bit (docs/numerics.md §4). A transfer on `start` begins a row. Each
    transfer on `o_pass` then asks the source for the whole row once more on `i_x`. Without a tap: LARGEST and
    QUANTISE, whose results leave on `o_q`; where the clamp proves to act, QUANTISE a second time, whose results stand.
    With a tap: LARGEST; SQUARES (if rms); TAPPED; QUANTISE. When all of them have left, `o_scale` offers the value
    of one unit of q, once; the next row starts after that.
    `scale`, the value of one unit of x, is read when the first pass is through. `coming` is high in the cycle before
    each transfer on `o_q`.
    Gains come through `gain`. Rescaling, tap and scalar unit are shared with others: words go out on `rescale` and
    `tap` and come back in order, scalar operations go through `scalar`. No backpressure but for `o_scale`.

    Widths: those of `NormGain`; the sum of squares over 8,192 channels <= 2**59. Throughput: one word a cycle a pass;
    beside the passes about 160 cycles of scalar operations and draining with rms, 90 without, and 100 more with a tap.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "start": In(stream.Signature(NORM_SETTINGS)),
            "scale": In(SCALAR),
            "o_pass": Out(stream.Signature(NormPass)),
            "i_x": In(stream.Signature(norm_word(lanes), always_ready=True)),
            "gain": Out(channel_read(gain_word(lanes))),
            "rescale": Out(RescalePort(lanes)),
            "tap": Out(WordTapPort(lanes)),
            "scalar": Out(ScalarPort()),
            "o_q": Out(stream.Signature(quantised_word(lanes), always_ready=True)),
            "coming": Out(1),
            "o_scale": Out(stream.Signature(SCALAR)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        row = NormRow()
        m.submodules.gained = gained = NormGain(self._lanes)
        m.d.comb += [
            gained.i.valid.eq(self.i_x.valid), gained.i.p.eq(self.i_x.p),
            gained.gained.eq(row.settings.gained), gained.up.eq(row.up),
            self.gain.index.eq(gained.gain.index), gained.gain.word.eq(self.gain.word),
            self.tap.settings.rho.eq(row.rho), self.tap.settings.exponents.eq(row.settings.exponents),
        ]
        self._see(m, row, gained)
        y = self._tap(m, row, gained)
        self._measure(m, row, gained, *y)
        self._quantise(m, row, *y)
        control = NormControl(m, row, scalar=self.scalar, o_pass=self.o_pass)
        control.states(self.start, self.scale, self.o_scale)
        return m

    def _see(self, m: Module, row: NormRow, gained: NormGain) -> None:
        """Sizes ored, squares added up."""
        x, squares = self.i_x, gained.o_squares
        bits, valid = Signal(SIZE_BITS, reset_less=True), Signal()
        m.d.sync += [bits.eq(_any_of([x.p.channels[n].size for n in range(self._lanes)])),
                     valid.eq(x.valid & row.largest_pass)]
        with m.If(valid):
            m.d.sync += row.seen.eq(row.seen | bits)
        with m.If(squares.valid):
            m.d.sync += row.squares.eq(row.squares + squares.p.sum)
            with m.If(squares.p.last):
                m.d.sync += row.squared.eq(1)

    def _tap(self, m: Module, row: NormRow, gained: NormGain) -> tuple[Signal, Signal, Signal]:
        """v, or what comes back from the tap: y with its valid and last."""
        words, results, v = self.tap.words, self.tap.results, gained.o_v
        m.d.comb += [words.valid.eq(v.valid & row.through_tap), words.p.eq(v.p)]
        y, y_valid, y_last = Signal(data.ArrayLayout(signed(V_BITS), self._lanes), reset_less=True), Signal(), Signal()
        m.d.sync += [
            Value.cast(y).eq(Mux(row.through_tap, Value.cast(results.p.x), Value.cast(v.p.x))),
            y_valid.eq(Mux(row.through_tap, results.valid, v.valid)),
            y_last.eq(Mux(row.through_tap, results.p.last, v.p.last)),
        ]
        return y, y_valid, y_last

    def _measure(self, m: Module, row: NormRow, gained: NormGain, y: data.View, y_valid: Signal,
                 y_last: Signal) -> None:
        """Largest |x * gain|, exact, or behind the tap largest |y|."""
        products, tapping = gained.o_products, row.through_tap
        level = [Signal(PRODUCT_BITS, reset_less=True, name=f"size_{n}") for n in range(self._lanes)]
        for n, size in enumerate(level):
            product, below = products.p.sizes[n], tapping & y[n][-1]
            m.d.sync += [
                size[:V_BITS].eq(Mux(tapping, y[n] ^ below.replicate(V_BITS), product[:V_BITS]) + below),
                size[V_BITS:].eq(Mux(tapping, 0, product[V_BITS:])),
            ]
        valid = Mux(tapping, y_valid & ~row.quantise_pass, products.valid & row.largest_pass)
        last = Mux(tapping, y_last, products.p.last)
        size, valid, last = largest_lane(m, level, valid, last)
        with m.If(valid & (size > row.largest)):
            m.d.sync += row.largest.eq(size)
        with m.If(valid & last):
            m.d.sync += row.measured.eq(1)

    def _quantise(self, m: Module, row: NormRow, y: data.View, y_valid: Signal, y_last: Signal) -> None:
        words, results = self.rescale.words, self.rescale.results
        m.d.comb += [
            self.coming.eq(results.valid & row.quantise_pass),
            words.valid.eq(y_valid & row.quantise_pass),
            Value.cast(words.p.x).eq(Value.cast(y)),
            words.p.a.eq(row.multiplier),
            words.p.last.eq(y_last),
        ]
        m.d.sync += [
            self.o_q.valid.eq(self.coming),
            self.o_q.p.last.eq(results.p.last),
            *(self.o_q.p.values[n].eq(Mux(row.settings.levels16, saturate(results.p.y[n], 16),
                                          saturate(results.p.y[n], 8))) for n in range(self._lanes)),
        ]
        with m.If(self.o_q.valid & self.o_q.p.last):
            m.d.sync += row.left.eq(1)


def _any_of(values: list[Value]) -> Value:
    """The bitwise or."""
    total = values[0]
    for value in values[1:]:
        total = total | value
    return total
