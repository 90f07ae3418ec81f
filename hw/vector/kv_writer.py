"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR, to_word
from hw.memory.shapes import WRITE_BEAT
from models.machine.build import BURST_BEATS
from models.machine.cache import BLOCK_TOKENS, chunk_bytes

__all__ = ["KV_TARGET", "KVWriter"]

_BEAT_BYTES = 16

KV_TARGET = data.StructLayout({
    "address": unsigned(40), "address_stride": unsigned(16), "block_bytes": unsigned(16), "region_bytes": unsigned(32),
    "scale_address": unsigned(40), "scale_block_bytes": unsigned(16),
    "head_bytes": unsigned(32), "heads": unsigned(8), "token": unsigned(16),
})
"""Where the heads of one token go, in logical addresses.
Rows lie on multiples of 16 bytes, scales on multiples of 4."""


class KVWriter(wiring.Component):
    """Write the heads of one token into a cache of `models.machine.cache`, striped over the ports.

    Head g's row begins at address + token div 16 * block_bytes + token mod 16 * address_stride + g * head_bytes; its
    chunks are region_bytes apart. Its scale word lies at scale_address + token div 16 * scale_block_bytes +
    token mod 16 * 4 + g * head_bytes. These are logical addresses; the beats go to `physical` ones.

    A transfer on `start` begins a token; per head its values come on `i` and its scale on `i_scale`. Values are
    kv_bits wide, little-endian, first channel lowest; the strobes cover the bytes of the head alone, so that the
    padding of a row keeps what it holds. The scale goes out as its memory word after the head's values. `busy`
    from the start until the last beat is taken on `o_write`.
    Throughput: a value a cycle, and two cycles a beat and a scale.
    """

    def __init__(self, kv_bits: int, ports: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self._kv_bits, self._ports = kv_bits, ports
        self._pieces = chunk_bytes(ports) // _BEAT_BYTES
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(data.StructLayout({"value": signed(16), "last": 1}))),
            "i_scale": In(stream.Signature(SCALAR)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "busy": Out(1),
        })

    def _physical(self, address: Value) -> Value:
        """Of the bits above a beat's bytes, the port's number moves above the beat's: wiring alone."""
        address = Value.cast(address)[:40]
        port_bits, beat_bits = exact_log2(self._ports), exact_log2(BURST_BEATS)
        port, beat = address[4:4 + port_bits], address[4 + port_bits:4 + port_bits + beat_bits]
        return Cat(address[:4], beat, port, address[4 + port_bits + beat_bits:])

    def elaborate(self, platform):
        m = Module()
        lanes, lane_bytes = _BEAT_BYTES * 8 // self._kv_bits, self._kv_bits // 8
        target = Signal(KV_TARGET, reset_less=True)
        block_offset, row_offset = Signal(32, reset_less=True), Signal(20, reset_less=True)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        scale_within = Signal(6, reset_less=True)
        head_base, row = Signal(40, reset_less=True), Signal(40, reset_less=True)  # of the head; of its chunk
        piece = Signal(range(self._pieces))  # beat of the chunk
        scale_row, heads = Signal(40, reset_less=True), Signal(8, reset_less=True)
        beat, filled = Signal(_BEAT_BYTES * 8, reset_less=True), Signal(lanes)
        ended = Signal()

        m.d.comb += self.busy.eq(1)
        block, within = target.token // BLOCK_TOKENS, target.token % BLOCK_TOKENS
        m.d.sync += [
            block_offset.eq(block * target.block_bytes), row_offset.eq(within * target.address_stride),
            offset.eq(block_offset + row_offset),
            scale_offset.eq(block * target.scale_block_bytes), scale_within.eq(within << 2),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.start.ready.eq(1), self.busy.eq(0)]
                m.d.sync += target.eq(self.start.p)
                with m.If(self.start.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.next = "OFFSETS"
            with m.State("OFFSETS"):
                m.d.sync += [scale_row.eq(target.scale_address + scale_within), filled.eq(0), piece.eq(0)]
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [row.eq(target.address + offset), scale_row.eq(scale_row + scale_offset),
                             head_base.eq(target.address + offset), heads.eq(target.heads)]
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
                    self.o_write.p.address.eq(self._physical(row + (piece << 4))),
                    self.o_write.p.data.eq(beat),
                    self.o_write.p.strobe.eq(Cat(bit.replicate(lane_bytes) for bit in filled)),
                ]
                with m.If(self.o_write.ready):
                    m.d.sync += [filled.eq(0), piece.eq(piece + 1)]
                    with m.If(piece == self._pieces - 1):
                        m.d.sync += [piece.eq(0), row.eq(row + target.region_bytes)]
                    with m.If(ended):
                        m.next = "SCALE"
                    with m.Else():
                        m.next = "GATHER"
            with m.State("SCALE"):
                word, lane = to_word(self.i_scale.p), scale_row[2:4]
                m.d.comb += [
                    self.o_write.valid.eq(self.i_scale.valid),
                    self.i_scale.ready.eq(self.o_write.ready),
                    self.o_write.p.address.eq(self._physical(Cat(Const(0, 4), scale_row[4:]))),
                    self.o_write.p.data.eq(word.replicate(4)),
                    self.o_write.p.strobe.eq(0b1111 << (lane << 2)),
                ]
                with m.If(self.o_write.valid & self.o_write.ready):
                    m.d.sync += [piece.eq(0), head_base.eq(head_base + target.head_bytes),
                                 row.eq(head_base + target.head_bytes),
                                 scale_row.eq(scale_row + target.head_bytes), heads.eq(heads - 1)]
                    m.next = "GATHER"
                    with m.If(heads == 1):
                        m.next = "IDLE"
        return m
