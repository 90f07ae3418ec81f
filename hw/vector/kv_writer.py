"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, to_word
from hw.memory.shapes import WRITE_BEAT

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

    A transfer on `start` begins a token; per head its values come on `i` and its scale on `i_scale`. Values are
    kv_bits wide, little-endian, first channel lowest; the strobes cover the bytes of the head alone, so that the
    padding of a row keeps what it holds. The scale goes out as its memory word after the head's values. `busy`
    from the start until the last beat is taken on `o_write`.
    Throughput: a value a cycle, and two cycles a beat and a scale.
    """

    def __init__(self, kv_bits: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self._kv_bits = kv_bits
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(data.StructLayout({"value": signed(16), "last": 1}))),
            "i_scale": In(stream.Signature(SCALAR)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, lane_bytes = _BEAT_BYTES * 8 // self._kv_bits, self._kv_bits // 8
        target = Signal(KV_TARGET, reset_less=True)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        head_base, row = Signal(40, reset_less=True), Signal(40, reset_less=True)
        scale_row, heads = Signal(40, reset_less=True), Signal(8, reset_less=True)
        beat, filled = Signal(_BEAT_BYTES * 8, reset_less=True), Signal(lanes)
        ended = Signal()

        m.d.comb += self.busy.eq(1)
        m.d.sync += [offset.eq(target.token * target.address_stride),
                     scale_offset.eq(target.token * target.scale_address_stride)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.start.ready.eq(1), self.busy.eq(0)]
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
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    for lane in range(lanes):
                        with m.If(~filled[lane] & (filled[lane - 1] if lane else 1)):
                            m.d.sync += beat.word_select(lane, self._kv_bits).eq(self.i.p.value)
                    m.d.sync += [filled.eq(Cat(1, filled)), ended.eq(self.i.p.last)]
                    with m.If(self.i.p.last | filled[lanes - 2]):
                        m.next = "VALUES"
            with m.State("VALUES"):
                m.d.comb += [
                    self.o_write.valid.eq(1),
                    self.o_write.p.address.eq(row),
                    self.o_write.p.data.eq(beat),
                    self.o_write.p.strobe.eq(Cat(bit.replicate(lane_bytes) for bit in filled)),
                ]
                with m.If(self.o_write.ready):
                    m.d.sync += [filled.eq(0), row.eq(row + _BEAT_BYTES)]
                    with m.If(ended):
                        m.next = "SCALE"
                    with m.Else():
                        m.next = "GATHER"
            with m.State("SCALE"):
                word, lane = to_word(self.i_scale.p), scale_row[2:4]
                m.d.comb += [
                    self.o_write.valid.eq(self.i_scale.valid),
                    self.i_scale.ready.eq(self.o_write.ready),
                    self.o_write.p.address.eq(Cat(scale_row[:4] & 0, scale_row[4:])),
                    self.o_write.p.data.eq(word.replicate(4)),
                    self.o_write.p.strobe.eq(0b1111 << (lane << 2)),
                ]
                with m.If(self.o_write.valid & self.o_write.ready):
                    m.d.sync += [head_base.eq(head_base + target.head_bytes), row.eq(head_base + target.head_bytes),
                                 scale_row.eq(scale_row + target.head_bytes), heads.eq(heads - 1)]
                    m.next = "GATHER"
                    with m.If(heads == 1):
                        m.next = "IDLE"
        return m
