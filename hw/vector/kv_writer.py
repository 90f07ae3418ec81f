"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR, to_word
from hw.memory.shapes import WRITE_BEAT
from hw.vector.norm_quant import QUANTISED_WORD
from models.machine.build import BURST_BEATS, LANES
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

    A transfer on `start` begins a token; per head its values come on `i`, LANES a word, and its scale on `i_scale`.
    Values are kv_bits wide, little-endian, first channel lowest; the strobes cover the bytes of the head alone, so
    that the padding of a row keeps what it holds. The scale goes out as its memory word after the head's values.
    `busy` from the start until the last beat is taken on `o_write`.
    Throughput: a word a cycle, and a cycle a scale.
    """

    def __init__(self, kv_bits: int, ports: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self._kv_bits, self._ports = kv_bits, ports
        self._pieces = chunk_bytes(ports) // _BEAT_BYTES
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(QUANTISED_WORD)),
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
        word_bits = LANES * self._kv_bits
        words = _BEAT_BYTES * 8 // word_bits  # of a beat
        target = Signal(KV_TARGET, reset_less=True)
        block_offset, row_offset = Signal(32, reset_less=True), Signal(20, reset_less=True)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        scale_within = Signal(6, reset_less=True)
        head_base, row = Signal(40, reset_less=True), Signal(40, reset_less=True)  # of the head; of its next beat
        piece, chunk_ends = Signal(range(self._pieces)), Signal()  # beat of the chunk
        jump = Signal(32, reset_less=True)  # from a chunk's last beat to the next chunk
        m.d.comb += chunk_ends.eq(piece == self._pieces - 1)
        scale_row, heads = Signal(40, reset_less=True), Signal(8, reset_less=True)
        beat, filled = Signal(_BEAT_BYTES * 8, reset_less=True), Signal(words)

        # the beat on offer, behind which the next one is gathered
        o, free = self.o_write, Signal()
        m.d.comb += free.eq(~o.valid | o.ready)
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)

        m.d.comb += self.busy.eq(1)
        block, within = target.token // BLOCK_TOKENS, target.token % BLOCK_TOKENS
        m.d.sync += [
            block_offset.eq(block * target.block_bytes), row_offset.eq(within * target.address_stride),
            offset.eq(block_offset + row_offset),
            scale_offset.eq(block * target.scale_block_bytes), scale_within.eq(within << 2),
            jump.eq(target.region_bytes - (self._pieces - 1) * _BEAT_BYTES),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.start.ready.eq(1), self.busy.eq(o.valid)]
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
                m.d.comb += self.i.ready.eq(free)
                gathered = Cat(value[:self._kv_bits] for value in self.i.p.values)
                with m.If(self.i.valid & free):
                    for n in range(words):
                        with m.If(~filled[n] & (filled[n - 1] if n else 1)):
                            m.d.sync += beat.word_select(n, word_bits).eq(gathered)
                    m.d.sync += filled.eq(Cat(1, filled))
                    with m.If(self.i.p.last | filled[words - 2]):
                        m.d.sync += [o.valid.eq(1), o.p.address.eq(self._physical(row)), filled.eq(0),
                                     row.eq(row + Mux(chunk_ends, jump, _BEAT_BYTES)), piece.eq(piece + 1)]
                        with m.If(chunk_ends):
                            m.d.sync += piece.eq(0)
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
                        o.p.address.eq(self._physical(Cat(Const(0, 4), scale_row[4:]))),
                        o.p.data.eq(word.replicate(4)),
                        o.p.strobe.eq(0b1111 << (lane << 2)),
                        head_base.eq(head_base + target.head_bytes), row.eq(head_base + target.head_bytes),
                        scale_row.eq(scale_row + target.head_bytes), heads.eq(heads - 1), piece.eq(0),
                    ]
                    m.next = "GATHER"
                    with m.If(heads == 1):
                        m.next = "IDLE"
        return m
