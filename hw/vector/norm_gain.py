"""The norm's channels times their gains, exactly and rounded, and the sum of their squares."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.multiply_add import MULTIPLY_ADD_LATENCY, multiply_add, operand_bits, registered_product
from hw.vector.channel_memories import READ_LATENCY, channel_read, gain_word
from hw.vector.word_tap import tapped_word

__all__ = ["PRODUCT_BITS", "SIZE_BITS", "UP_MAX", "NormGain", "norm_word"]

SIZE_BITS = 60
_NARROW_BITS = 23  # of a channel, behind the shift and before rounding
UP_MAX = SIZE_BITS - _NARROW_BITS
PRODUCT_BITS = SIZE_BITS + 15
_V_BITS = 40
_SQUARE_DIGIT_BITS = 17  # unsigned, for a multiplier's 18-bit port


def norm_word(lanes: int) -> data.StructLayout:
    """Channels by sign and size; a zero may have either sign."""
    channel = data.StructLayout({"size": unsigned(SIZE_BITS), "negative": 1})
    return data.StructLayout({"channels": data.ArrayLayout(channel, lanes), "last": 1})


class NormGain(wiring.Component):
    """Of each channel x with gain g: |x * g| * 2**up, v = round(x * g / 2**k) and the square of round(x / 2**k).

    k = UP_MAX - up, 0 .. 37; rounded half to even: golden `gained` and `round_shift`. Up to `up` the sizes may have
    SIZE_BITS - up bits. Products leave on `o_products`, v on `o_v`, sums of a word's squares on `o_squares`, each
    marked at the row's last word, some 10 cycles behind `i`; what is not wanted is left there. No backpressure. Words
    are those of a whole row, channel 0 first: gains are read in step, or are 1 without `gained`. `up` and `gained`
    hold still while words are inside.

    Widths: |x| < 2**60, |g| <= 2**15, products below 2**75; |v| <= 2**38; squares <= 2**46.
    Sizes are shifted to the left, so that both results are rounded at places that do not move. A lane's product is
    a few digits, each a DSP's operand, down a chain of DSPs; the squares are chains over the lanes, one for each pair
    of their digits.
    """

    _SHIFTED = 3  # cycles to the shifted size and its gain
    _NARROWED = _SHIFTED + 2

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        products = data.StructLayout({"sizes": data.ArrayLayout(unsigned(PRODUCT_BITS), lanes), "last": 1})
        super().__init__({
            "up": In(range(UP_MAX + 1)),
            "gained": In(1),
            "gain": Out(channel_read(gain_word(lanes))),
            "i": In(stream.Signature(norm_word(lanes), always_ready=True)),
            "o_products": Out(stream.Signature(products, always_ready=True)),
            "o_v": Out(stream.Signature(tapped_word(lanes), always_ready=True)),
            "o_squares": Out(stream.Signature(data.StructLayout({"sum": unsigned(49), "last": 1}), always_ready=True)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        i, index = self.i, Signal(16)
        m.d.comb += self.gain.index.eq(index)
        with m.If(i.valid):
            m.d.sync += index.eq(Mux(i.p.last, 0, index + 1))

        narrow = []
        for n in range(self._lanes):
            size, gain, negative = self._operands(m, n)
            product, v = self._multiply(m, platform, size, gain, negative)
            m.d.comb += self.o_products.p.sizes[n].eq(product)
            m.d.sync += self.o_v.p.x[n].eq(v)
            narrow.append(_narrowed(m, size))
        m.d.comb += self.o_squares.p.sum.eq(_square_sum(m, platform, narrow))

        ends = Cat(i.valid, i.p.last)
        multiplied = self._SHIFTED + MULTIPLY_ADD_LATENCY + _digits(platform) - 1  # a digit a cycle down the chain
        squared = self._NARROWED + MULTIPLY_ADD_LATENCY + self._lanes
        for latency in range(1, max(multiplied + 1, squared) + 1):
            later = Signal(2, name=f"ends_{latency}")
            m.d.sync += later.eq(ends)
            ends = later
            for after, o in ((multiplied, self.o_products), (multiplied + 1, self.o_v), (squared, self.o_squares)):
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
        """The product, whole with its last digit, and what v becomes the cycle after."""
        total, parts, bits, digits = None, [], operand_bits(platform)[0] - 1, _digits(platform)
        for n in range(digits):
            digit = _unsigned(size[n * bits:(n + 1) * bits])
            operands = (_delayed(m, operand, n).as_signed() for operand in (digit, _unsigned(gain)))
            total = _product_and(m, platform, *operands, None if total is None else total >> bits)
            parts.append(total)
        *lower, top = parts

        # Bits below the guard, from the digits as they come.
        guarded, below = (UP_MAX - 1) // bits, Const(0, 1)  # the digit that has the guard
        for n, part in enumerate(parts[:guarded + 1]):
            before, below = below, Signal(reset_less=True, name="below")
            m.d.sync += below.eq(before | part[:min(bits, UP_MAX - 1 - n * bits)].any())
        below = _delayed(m, below, digits - 2 - guarded)
        product = Cat(*(_delayed(m, part[:bits], digits - 1 - n) for n, part in enumerate(lower)), top)[:PRODUCT_BITS]
        whole = product[UP_MAX:]
        up = product[UP_MAX - 1] & (below | whole[0])
        # Of a negative one -(whole + up) = ~whole + ~up: one carry chain rounds and negates.
        negative = _delayed(m, negative, MULTIPLY_ADD_LATENCY + digits - 1)
        v = (Cat(whole, Const(0, _V_BITS - len(whole))) ^ negative.replicate(_V_BITS)) + (up ^ negative)
        return product, v[:_V_BITS]


def _digits(platform) -> int:
    """Of a size, unsigned, each for a multiplier's wider port."""
    digits = -(-SIZE_BITS // (operand_bits(platform)[0] - 1))
    assert digits > (UP_MAX - 1) // (operand_bits(platform)[0] - 1) + 1  # none holds the guard but the last
    return digits


def _unsigned(x: Value) -> Value:
    """As a signed value, a bit wider."""
    return Cat(x, Const(0, 1))


def _delayed(m: Module, x: Value, cycles: int) -> Value:
    for _ in range(cycles):
        later = Signal(len(x), reset_less=True, name="later")
        m.d.sync += later.eq(x)
        x = later
    return x


def _product_and(m: Module, platform, a: Value, b: Value, carried: Value | None) -> Signal:
    """As `multiply_add` with a sum from the fabric: a cascade between DSP blocks shifts by 17 bits or none."""
    operands = [Signal(value.shape(), name=name, reset_less=True) for name, value in (("a", a), ("b", b))]
    m.d.sync += [operand.eq(value) for operand, value in zip(operands, (a, b), strict=True)]
    total = Signal(signed(44), name="total", reset_less=True)
    m.d.sync += total.eq(registered_product(m, platform, *operands) + (0 if carried is None else carried))
    return total


def _narrowed(m: Module, size: Value) -> Value:
    """round(size / 2**UP_MAX), two cycles later."""
    whole, up = Signal(_NARROW_BITS, reset_less=True), Signal(reset_less=True)
    narrow = Signal(_NARROW_BITS + 1, reset_less=True)
    m.d.sync += [whole.eq(size[UP_MAX:]), up.eq(size[UP_MAX - 1] & (size[:UP_MAX - 1].any() | size[UP_MAX])),
                 narrow.eq(whole + up)]
    return narrow


def _square_sum(m: Module, platform, sizes: list[Value]) -> Value:
    """The sum of squares of a word, MULTIPLY_ADD_LATENCY + lanes cycles after its sizes."""
    width, bits = len(sizes[0]), _SQUARE_DIGIT_BITS
    digits = [slice(0, bits), slice(bits, width)]
    if operand_bits(platform)[0] > width:  # the wider port takes a whole size
        pairs = [(slice(0, width), digits[0], 0), (slice(0, width), digits[1], bits)]
    else:
        pairs = [(digits[0], digits[0], 0), (digits[0], digits[1], bits + 1), (digits[1], digits[1], 2 * bits)]
    totals = []
    for a, b, shift in pairs:
        total = None
        for n, size in enumerate(sizes):
            total = multiply_add(m, platform, _delayed(m, _unsigned(size[a]), n).as_signed(),
                                 _delayed(m, _unsigned(size[b]), n).as_signed(), total)
        totals.append(total.value[:45] << shift)
    square_sum = Signal(49, reset_less=True)
    m.d.sync += square_sum.eq(sum(totals[1:], totals[0]))
    return square_sum
