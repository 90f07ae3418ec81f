"""Rounding half to even and saturation, as combinational functions. docs/numerics.md §1."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value, signed

__all__ = ["round_shift", "saturate", "shift_over", "shift_sticky"]


def round_shift(x: Value, shift: int) -> Value:
    """`x / 2**shift` for a constant shift >= 0, half to even; as many bits fewer, plus one."""
    x = Value.cast(x)
    if shift == 0:
        return x
    if shift >= len(x):
        raise ValueError(f"a shift of {shift} leaves nothing of {len(x)} bits")
    quotient = x[shift:].as_signed() if x.shape().signed else x[shift:]
    half, sticky = x[shift - 1], x[: shift - 1].any()
    return quotient + (half & (sticky | quotient[0]))


def shift_sticky(x: Value, sticky: Value, amount: Value, unit: int = 1) -> tuple[Value, Value]:
    """Right shift by `amount * unit` that remembers in the sticky bit whether a one was shifted out.

    With x holding one guard bit below its unit, a sequence of these leaves guard and sticky bit, from
    which `up = guard & (sticky | quotient[0])` rounds half to even, also in two's complement.
    Every bit of `amount` is one level of 2:1 multiplexers: take two to four bits between registers. The sticky bit is
    computed beside them.
    """
    shape = x.shape()
    sticky = sticky | _any_lost(x, amount, unit)
    for bit in range(len(amount)):
        by = unit << bit
        fill = x[-1] if shape.signed else Const(0, 1)
        moved = Cat(x[by:], fill.replicate(min(by, len(x))))
        x = Mux(amount[bit], moved, x.as_unsigned() if shape.signed else x)[: len(x)]
        x = x.as_signed() if shape.signed else x
    return x, sticky


def shift_over(x: Value, over: Value, amount: Value, unit: int = 1) -> tuple[Value, Value]:
    """Left shift of an unsigned x within its bits by `amount * unit`, and `over`, which then also says if a one left.

    Bits between registers as in `shift_sticky`.
    """
    over = over | _any_lost(x[::-1], amount, unit)
    for bit in range(len(amount)):
        x = Mux(amount[bit], x << min(unit << bit, len(x)), x)[: len(x)]
    return x, over


def saturate(x: Value, bits: int) -> Value:
    """Clip a signed value to the symmetric range of `bits` bits, ±(2**(bits-1) - 1)."""
    limit = (1 << (bits - 1)) - 1
    if len(x) < bits:
        return x
    # out of the two's complement range, or its asymmetric minimum
    over = ~x[-1] & x[bits - 1 :].any()
    under = x[-1] & (~x[bits - 1 :].all() | ~x[: bits - 1].any())
    return Mux(
        under, Const(-limit, signed(bits)), Mux(over, Const(limit, signed(bits)), x[:bits].as_signed())
    )


def _any_lost(bits: Value, amount: Value, unit: int) -> Value:
    """Whether one of the first `amount * unit` bits is set: bit n counts where `amount` is above n // unit."""
    most = min(len(bits), unit * ((1 << len(amount)) - 1))
    return Cat(bits[n] & (amount > n // unit) for n in range(most)).any()
