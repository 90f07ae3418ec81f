"""The rescaling of a word's channels, which norm, heads and residual addition share."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR
from hw.arith.scale_round import ScaleRound

__all__ = ["Rescale", "RescalePort"]

_X_BITS, _Y_BITS = 40, 32


def _word(lanes: int) -> data.StructLayout:
    return data.StructLayout({"x": data.ArrayLayout(signed(_X_BITS), lanes), "a": SCALAR, "fraction": signed(8),
                              "last": 1})


def _rescaled_word(lanes: int) -> data.StructLayout:
    return data.StructLayout({"y": data.ArrayLayout(signed(_Y_BITS), lanes), "last": 1})


class RescalePort(wiring.Signature):
    """A user's side of a Rescale: words go out, results come back; flipped, the unit's side."""

    def __init__(self, lanes: int) -> None:
        super().__init__({"words": Out(stream.Signature(_word(lanes), always_ready=True)),
                          "results": In(stream.Signature(_rescaled_word(lanes), always_ready=True))})


class Rescale(wiring.Component):
    """y = saturate(round(x * a * 2**fraction), 32) of `lanes` channels a cycle, `LATENCY` cycles later.

    Contract: golden `scale_round` (docs/numerics.md §2) of each channel; |x| < 2**39. Saturating the result once more
    to fewer bits equals `scale_round` to those. `last` travels along. No backpressure.
    """

    LATENCY = ScaleRound.LATENCY + 1

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "i": In(stream.Signature(_word(lanes), always_ready=True)),
            "o": Out(stream.Signature(_rescaled_word(lanes), always_ready=True)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        valid, word = Signal(), Signal(self.i.p.shape(), reset_less=True)  # behind the choice among users
        m.d.sync += [valid.eq(self.i.valid), word.eq(self.i.p)]
        for n in range(self._lanes):
            m.submodules[f"lane_{n}"] = lane = ScaleRound(_X_BITS, _Y_BITS, 0 if n else 1)
            m.d.comb += [
                lane.i.valid.eq(valid), lane.i.p.x.eq(word.x[n]), lane.i.p.a.eq(word.a),
                lane.i.p.fraction.eq(word.fraction), lane.o.ready.eq(1), self.o.p.y[n].eq(lane.o.p.y),
            ]
            if n == 0:
                m.d.comb += [lane.i.p.user.eq(word.last), self.o.valid.eq(lane.o.valid),
                             self.o.p.last.eq(lane.o.p.user)]
        return m
