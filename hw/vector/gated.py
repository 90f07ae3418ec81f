"""The gated product of the feed-forward block: ReLU(gate)**2 * up, or SiLU(gate) * up."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR
from hw.arith.scale_round import ScaleRound
from hw.boards.technology import PLAIN
from hw.stream.pipeline import Pipeline
from models.machine.tables import SIGMOID_TABLE

__all__ = ["GatedProduct", "Sigmoid"]

_GATE_BITS = 21
_INPUT_FRACTION = 14  # of the sigmoid's argument, Q4.14
_SEGMENT_BITS = 9

_LINE = data.StructLayout({"low": unsigned(17), "rise": unsigned(10)})


class Sigmoid(wiring.Component):
    """Sigmoid of t / 2**14 with 16 fraction bits, 0 .. 2**16, by linear interpolation; one a cycle.

    Contract: golden `sigmoid` (docs/numerics.md §8). A ROM of 1,024 words holds each segment's low end (17 bits)
    and its rise (at most 512, 10 bits). `user` travels along.

    i: {t: signed(19), user}; o: {y: unsigned(17), user}. Latency `LATENCY`, a cycle more where wires are slow.
    """

    LATENCY = 3

    def __init__(self, user_layout=0) -> None:
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"t": signed(19), "user": user_layout}))),
            "o": Out(stream.Signature(data.StructLayout({"y": unsigned(17), "user": user_layout}))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        low, high = SIGMOID_TABLE[:-1], SIGMOID_TABLE[1:]
        lines = [{"low": int(a), "rise": int(b - a)} for a, b in zip(low, high, strict=True)]
        m.submodules.rom = rom = Memory(shape=_LINE, depth=len(lines), init=lines)
        port = rom.read_port()
        p = Pipeline(m, self.i, self.o)
        t = self.i.p.t
        m.d.comb += [port.en.eq(p.advance), port.addr.eq(t[_SEGMENT_BITS:] ^ (1 << 9))]  # segment + 512
        rest, user = p.step(t[:_SEGMENT_BITS], self.i.p.user)
        low, rise = port.data.low, port.data.rise
        if (platform or PLAIN).slow_wires:  # a block of memory is a third of the cycle already
            low, rise, rest, user = p.step(low, rise, rest, user)
        low, product, user = p.step(low, rise * rest, user)
        y, user = p.step((low + ((product + (1 << (_SEGMENT_BITS - 1))) >> _SEGMENT_BITS))[:17], user)
        p.finish(y=y, user=user)
        return m


class GatedProduct(wiring.Component):
    """gate * f(gate) * up of exact sums, f = ReLU for "relu2" or the sigmoid for "silu"; one channel a cycle.

    Contract: the integers of golden `gated_product` (docs/numerics.md §8); their unit is the user's to compute.
    Gate and up are saturated to 21 bits; f has at most 20 bits, so |p| < 2**60, given as sign and size (a zero may
    have either sign). `gate_scale` serves the sigmoid's argument; it and `silu` hold still while elements are inside.

    i: {gate: signed(24), up: signed(24), last}; o: {size: unsigned(60), negative, last}. Latency `LATENCY`.
    """

    LATENCY = 1 + ScaleRound.LATENCY + Sigmoid.LATENCY + 2 + 2 * PRODUCT_STEPS

    def __init__(self) -> None:
        super().__init__({
            "gate_scale": In(SCALAR),
            "silu": In(1),
            "i": In(stream.Signature(data.StructLayout({"gate": signed(24), "up": signed(24), "last": 1}))),
            "o": Out(stream.Signature(data.StructLayout({"size": unsigned(60), "negative": 1, "last": 1}))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        pair = data.StructLayout({"gate": signed(_GATE_BITS), "up": signed(_GATE_BITS), "last": 1})
        m.submodules.argument = argument = ScaleRound(_GATE_BITS, 19, pair)
        m.submodules.sigmoid = sigmoid = Sigmoid(pair)

        p = Pipeline(m, self.i, argument.i)
        gate, up, last = p.step(saturate(self.i.p.gate, _GATE_BITS), saturate(self.i.p.up, _GATE_BITS),
                                self.i.p.last)
        p.finish(x=gate, a=self.gate_scale, fraction=_INPUT_FRACTION)
        m.d.comb += [argument.i.p.user.gate.eq(gate), argument.i.p.user.up.eq(up), argument.i.p.user.last.eq(last)]
        m.d.comb += [
            sigmoid.i.valid.eq(argument.o.valid),
            argument.o.ready.eq(sigmoid.i.ready),
            sigmoid.i.p.t.eq(argument.o.p.y),
            sigmoid.i.p.user.eq(argument.o.p.user),
        ]

        p = Pipeline(m, sigmoid.o, self.o, platform)
        c = sigmoid.o.p.user
        relu = Mux(c.gate < 0, Const(0, 20), c.gate[:20])
        gate, factor, up, negative, last = p.step(
            abs(c.gate)[:20], Mux(self.silu, sigmoid.o.p.y, relu)[:20], abs(c.up)[:20], (c.gate < 0) ^ (c.up < 0),
            c.last)
        inner, up, negative, last = product_steps(p, gate, factor, up, negative, last)
        inner, up, negative, last = p.step(inner, up, negative, last)
        size, negative, last = product_steps(p, up, inner, negative, last)
        p.finish(size=size, negative=negative, last=last)
        return m
