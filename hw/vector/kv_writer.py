"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, to_word
from hw.memory.shapes import WRITE_BEAT
from hw.vector.norm_quant import QUANTISED_WORD
from models.machine.build import LANES

__all__ = ["KV_TARGET", "KVWriter"]

_BEAT_BYTES = 16

KV_TARGET = data.StructLayout({
    "address": unsigned(40), "address_stride": unsigned(16),
    "scale_address": unsigned(40), "scale_address_stride": unsigned(16),
    "head_bytes": unsigned(32), "heads": unsigned(8), "token": unsigned(16),
})
"""Where the heads of one token go. Value rows lie on multiples of 16 bytes, scales on multiples of 4."""


class KVWriter(wiring.Component):
    """Write the heads of one token: head g's values to address + token * address_stride + g * head_bytes, its
    scale word to scale_address + token * scale_address_stride + g * head_bytes.

    A transfer on `start` begins a token; per head its values come on `i`, LANES a word, and its scale on `i_scale`.
    Values are kv_bits wide, little-endian, first channel lowest; the strobes cover the bytes of the head alone, so
    that the padding of a row keeps what it holds. The scale goes out as its memory word after the head's values.
    `busy` from the start until the last beat is taken on `o_write`.
    Throughput: a word a cycle, and a cycle a scale.
    """

    def __init__(self, kv_bits: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self._kv_bits = kv_bits
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(QUANTISED_WORD)),
            "i_scale": In(stream.Signature(SCALAR)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        word_bits = LANES * self._kv_bits
        words = _BEAT_BYTES * 8 // word_bits  # of a beat
        target = Signal(KV_TARGET, reset_less=True)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        head_base, row = Signal(40, reset_less=True), Signal(40, reset_less=True)
        scale_row, heads = Signal(40, reset_less=True), Signal(8, reset_less=True)
        beat, filled = Signal(_BEAT_BYTES * 8, reset_less=True), Signal(words)

        # the beat on offer, behind which the next one is gathered
        o, free = self.o_write, Signal()
        m.d.comb += free.eq(~o.valid | o.ready)
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)

        m.d.comb += self.busy.eq(1)
        m.d.sync += [offset.eq(target.token * target.address_stride),
                     scale_offset.eq(target.token * target.scale_address_stride)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.start.ready.eq(1), self.busy.eq(o.valid)]
                m.d.sync += target.eq(self.start.p)
                with m.If(self.start.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [row.eq(target.address + offset), scale_row.eq(target.scale_address + scale_offset),
                             head_base.eq(target.address + offset), heads.eq(target.heads), filled.eq(0)]
                m.next = "GATHER"
            with m.State("GATHER"):
                m.d.comb += self.i.ready.eq(free)
                gathered = Cat(value[:self._kv_bits] for value in self.i.p.values)
                with m.If(self.i.valid & free):
                    for n in range(words):
                        with m.If(~filled[n] & (filled[n - 1] if n else 1)):
                            m.d.sync += beat.word_select(n, word_bits).eq(gathered)
                    m.d.sync += filled.eq(Cat(1, filled))
                    with m.If(self.i.p.last | filled[words - 2]):
                        m.d.sync += [o.valid.eq(1), o.p.address.eq(row), filled.eq(0), row.eq(row + _BEAT_BYTES)]
                        for n in range(words):
                            held = filled[n]
                            m.d.sync += [
                                o.p.data.word_select(n, word_bits).eq(
                                    Mux(held, beat.word_select(n, word_bits), gathered)),
                                o.p.strobe.word_select(n, word_bits // 8).eq(
                                    (held | (filled[n - 1] if n else 1)).replicate(word_bits // 8)),
                            ]
                        with m.If(self.i.p.last):
                            m.next = "SCALE"
            with m.State("SCALE"):
                word, lane = to_word(self.i_scale.p), scale_row[2:4]
                m.d.comb += self.i_scale.ready.eq(free)
                with m.If(self.i_scale.valid & free):
                    m.d.sync += [
                        o.valid.eq(1),
                        o.p.address.eq(Cat(scale_row[:4] & 0, scale_row[4:])),
                        o.p.data.eq(word.replicate(4)),
                        o.p.strobe.eq(0b1111 << (lane << 2)),
                        head_base.eq(head_base + target.head_bytes), row.eq(head_base + target.head_bytes),
                        scale_row.eq(scale_row + target.head_bytes), heads.eq(heads - 1),
                    ]
                    m.next = "GATHER"
                    with m.If(heads == 1):
                        m.next = "IDLE"
        return m
