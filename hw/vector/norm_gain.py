"""The norm's channels times their gains, exactly and rounded, and the squares of their sum."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.multiply_add import MULTIPLY_ADD_LATENCY, multiply_add, operand_bits
from hw.vector.channel_memories import GAIN_WORD, READ_LATENCY, channel_read
from hw.vector.word_tap import TAPPED_WORD
from models.machine.build import LANES

__all__ = ["NORM_WORD", "PRODUCT_BITS", "SIZE_BITS", "UP_MAX", "NormGain"]

SIZE_BITS = 60
_NARROW_BITS = 23  # of a channel, behind the shift and before rounding
UP_MAX = SIZE_BITS - _NARROW_BITS
PRODUCT_BITS = SIZE_BITS + 15
_DIGITS = 3  # of a size, unsigned, each for a multiplier's wider port
_V_BITS = 40
_SQUARE_DIGIT_BITS = 17  # of its 18-bit port

NORM_WORD = data.StructLayout({
    "channels": data.ArrayLayout(data.StructLayout({"size": unsigned(SIZE_BITS), "negative": 1}), LANES), "last": 1})
"""Channels by sign and size; a zero may have either sign."""


class NormGain(wiring.Component):
    """Of each channel x with gain g: |x * g| * 2**up, v = round(x * g / 2**k) and the square of round(x / 2**k).

    k = UP_MAX - up, 0 .. 37; rounded half to even: golden `gained` and `round_shift`. Up to `up` the sizes may have
    SIZE_BITS - up bits. Products leave on `o_products`, v on `o_v`, sums of a word's squares on `o_squares`, each
    marked at the row's last word, `LATENCY` cycles and less behind `i`; what is not wanted is left there. No
    backpressure. Words are those of a whole row, channel 0 first: gains are read in step, or are 1 without `gained`.
    `up` and `gained` hold still while words are inside.

    Widths: |x| < 2**60, |g| <= 2**15, products below 2**75; |v| <= 2**38; squares <= 2**46.
    Sizes are shifted to the left, so that both results are rounded at places that do not move. A lane's product is
    three digits, each a DSP's operand, down a chain of DSPs, the squares are two chains over the lanes.
    """

    _SHIFTED = 3  # cycles to the shifted size and its gain
    _MULTIPLIED = _SHIFTED + MULTIPLY_ADD_LATENCY + 2  # the chain's second and third digit a cycle later each
    _NARROWED = _SHIFTED + 2
    LATENCY = _NARROWED + MULTIPLY_ADD_LATENCY + LANES

    def __init__(self) -> None:
        products = data.StructLayout({"sizes": data.ArrayLayout(unsigned(PRODUCT_BITS), LANES), "last": 1})
        super().__init__({
            "up": In(range(UP_MAX + 1)),
            "gained": In(1),
            "gain": Out(channel_read(GAIN_WORD)),
            "i": In(stream.Signature(NORM_WORD, always_ready=True)),
            "o_products": Out(stream.Signature(products, always_ready=True)),
            "o_v": Out(stream.Signature(TAPPED_WORD, always_ready=True)),
            "o_squares": Out(stream.Signature(data.StructLayout({"sum": unsigned(49), "last": 1}), always_ready=True)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        i, index = self.i, Signal(16)
        m.d.comb += self.gain.index.eq(index)
        with m.If(i.valid):
            m.d.sync += index.eq(Mux(i.p.last, 0, index + 1))

        narrow = []
        for n in range(LANES):
            size, gain, negative = self._operands(m, n)
            product, v = self._multiply(m, platform, size, gain, negative)
            m.d.comb += self.o_products.p.sizes[n].eq(product)
            m.d.sync += self.o_v.p.x[n].eq(v)
            narrow.append(_narrowed(m, size))
        m.d.comb += self.o_squares.p.sum.eq(_square_sum(m, platform, narrow))

        ends = Cat(i.valid, i.p.last)
        for latency in range(1, self.LATENCY + 1):
            later = Signal(2, name=f"ends_{latency}")
            m.d.sync += later.eq(ends)
            ends = later
            for after, o in ((self._MULTIPLIED, self.o_products), (self._MULTIPLIED + 1, self.o_v),
                             (self.LATENCY, self.o_squares)):
                if latency == after:
                    m.d.comb += [o.valid.eq(ends[0]), o.p.last.eq(ends[1])]
        return m

    def _operands(self, m: Module, n: int) -> tuple[Value, Value, Value]:
        """The shifted size, the gain's size and the product's sign, _SHIFTED cycles after the channel."""
        assert READ_LATENCY + 1 == self._SHIFTED
        channel, word = self.i.p.channels[n], self.gain.word[n]
        size = channel.size
        for low in (4, 2, 0):  # bits of the distance
            shifted = Signal(SIZE_BITS, reset_less=True, name="shifted")
            m.d.sync += shifted.eq(Value.cast(size) << (self.up[low:low + 2] << low))
            size = shifted
        falls = self.gained & (word < 0)
        gain, negative = Signal(16, reset_less=True, name="gain"), Signal(reset_less=True, name="negative")
        m.d.sync += [gain.eq(Mux(self.gained, word ^ falls.replicate(16), 1) + falls),
                     negative.eq(_delayed(m, channel.negative, READ_LATENCY) ^ falls)]
        return size, gain, negative

    def _multiply(self, m: Module, platform, size: Value, gain: Value, negative: Value) -> tuple[Value, Value]:
        """The product, _MULTIPLIED cycles after its channel, and what v becomes the cycle after."""
        total, parts, bits = None, [], operand_bits(platform)[0] - 1
        assert _DIGITS * bits >= SIZE_BITS > 2 * bits
        for n in range(_DIGITS):
            digit = _unsigned(size[n * bits:(n + 1) * bits])
            total = _product_and(m, _delayed(m, digit, n).as_signed(), _delayed(m, _unsigned(gain), n).as_signed(),
                                 None if total is None else total >> bits)
            parts.append(total)
        bottom, middle, top = parts

        # Bits below the guard, from the digits as they come.
        guard = UP_MAX - 1 - bits
        below_bottom, below = Signal(reset_less=True, name="below_bottom"), Signal(reset_less=True, name="below")
        m.d.sync += [below_bottom.eq(bottom[:bits].any()), below.eq(below_bottom | middle[:guard].any())]
        product = Cat(_delayed(m, bottom[:bits], 2), _delayed(m, middle[:bits], 1),
                      top)[:PRODUCT_BITS]
        whole = product[UP_MAX:]
        up = product[UP_MAX - 1] & (below | whole[0])
        # Of a negative one -(whole + up) = ~whole + ~up: one carry chain rounds and negates.
        negative = _delayed(m, negative, MULTIPLY_ADD_LATENCY + 2)
        v = (Cat(whole, Const(0, _V_BITS - len(whole))) ^ negative.replicate(_V_BITS)) + (up ^ negative)
        return product, v[:_V_BITS]


def _unsigned(x: Value) -> Value:
    """As a signed value, a bit wider."""
    return Cat(x, Const(0, 1))


def _delayed(m: Module, x: Value, cycles: int) -> Value:
    for _ in range(cycles):
        later = Signal(len(x), reset_less=True, name="later")
        m.d.sync += later.eq(x)
        x = later
    return x


def _product_and(m: Module, a: Value, b: Value, carried: Value | None) -> Signal:
    """As `multiply_add` with a sum from the fabric: a cascade between DSP blocks shifts by 17 bits or none."""
    operands = [Signal(value.shape(), name=name, reset_less=True) for name, value in (("a", a), ("b", b))]
    product = Signal(signed(len(a) + len(b)), name="product", reset_less=True)
    total = Signal(signed(44), name="total", reset_less=True)
    m.d.sync += [operands[0].eq(a), operands[1].eq(b), product.eq(operands[0] * operands[1]),
                 total.eq(product + (0 if carried is None else carried))]
    return total


def _narrowed(m: Module, size: Value) -> Value:
    """round(size / 2**UP_MAX), two cycles later."""
    whole, up = Signal(_NARROW_BITS, reset_less=True), Signal(reset_less=True)
    narrow = Signal(_NARROW_BITS + 1, reset_less=True)
    m.d.sync += [whole.eq(size[UP_MAX:]), up.eq(size[UP_MAX - 1] & (size[:UP_MAX - 1].any() | size[UP_MAX])),
                 narrow.eq(whole + up)]
    return narrow


def _square_sum(m: Module, platform, sizes: list[Value]) -> Value:
    """The sum of squares of a word, MULTIPLY_ADD_LATENCY + LANES cycles after its sizes."""
    totals = []
    for low in (0, _SQUARE_DIGIT_BITS):
        total = None
        for n, size in enumerate(sizes):
            digit = _unsigned(size[low:low + _SQUARE_DIGIT_BITS])
            total = multiply_add(m, platform, _delayed(m, _unsigned(size), n).as_signed(),
                                 _delayed(m, digit, n).as_signed(), total)
        totals.append(total.value[:45])
    square_sum = Signal(49, reset_less=True)
    m.d.sync += square_sum.eq(totals[0] + (totals[1] << _SQUARE_DIGIT_BITS))
    return square_sum
