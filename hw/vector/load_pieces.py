"""What LOAD brings, in pieces of as many channels as the vector engine takes a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.memory.shapes import LOAD_CHANNELS, LOAD_WORD
from models.machine.descriptor import LoadTarget

__all__ = ["LoadPieces"]

_CHANNEL_BITS = {LoadTarget.RESIDUAL: 32, LoadTarget.GAIN: 16, LoadTarget.TAP: 64, LoadTarget.ROPE: 16,
                 LoadTarget.INPUT: 16, LoadTarget.HEAD_INPUT: 16, LoadTarget.AFFINE: 32}
"""Of what comes by channels: a step comes by rows, as one piece."""


class LoadPieces(wiring.Component):
    """Each word of `i` as words of at most `lanes` channels on `o`, in order, at its index and on, lowest bits first.

    A word that has no more goes through as it is. `i` is taken with its last piece; nothing is held here.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({"i": In(stream.Signature(LOAD_WORD)), "o": Out(stream.Signature(LOAD_WORD))})

    def elaborate(self, platform) -> Module:
        m = Module()
        lanes, i, o = self._lanes, self.i, self.o
        most = max(LOAD_CHANNELS.values()) // lanes
        piece, final = Signal(range(most)), Signal(range(most))
        m.d.comb += [o.valid.eq(i.valid), o.p.eq(i.p), i.ready.eq(o.ready & (piece == final)),
                     o.p.index.eq(i.p.index + (piece << exact_log2(lanes)))]
        with m.Switch(i.p.target):
            for target, bits in _CHANNEL_BITS.items():
                pieces = LOAD_CHANNELS[target] // lanes
                if pieces > 1:
                    with m.Case(target):
                        number = piece[:ceil_log2(pieces)]
                        m.d.comb += [final.eq(pieces - 1), o.p.data.eq(i.p.data.word_select(number, bits * lanes))]
        with m.If(o.valid & o.ready):
            m.d.sync += piece.eq(0)
            with m.If(piece != final):
                m.d.sync += piece.eq(piece + 1)
        return m
