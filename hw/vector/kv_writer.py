"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arith.multiply_add import registered_product
from hw.arith.scalar import SCALAR
from hw.memory.burst_former import BurstPort
from hw.vector.kv_stage import BEAT_BYTES, KVStage
from hw.vector.kv_walk import KV_TARGET, KVWalk
from hw.vector.norm_quant import quantised_word
from models.machine.build import BURST_BEATS
from models.machine.cache import BLOCK_TOKENS
from models.machine.kv_format import kv_format

__all__ = ["KVWriter"]


class KVWriter(wiring.Component):
    """Write the heads of tokens into a cache of `models.machine.cache`, striped over the ports.

    Head g's row begins at address + token div 16 * block_bytes + token mod 16 * address_stride + g * head_bytes; its
    chunks are region_bytes apart. Its scale word lies at scale_address + token div 16 * scale_block_bytes +
    token mod 16 * 4 + g * head_bytes. These are logical addresses; the beats go to `physical` ones.
    address_stride is a chunk, or at least a beat of all ports and below 2 KiB.

    Up to `rows` tokens that follow each other in a block of 16 leave together, so that what lies side by side in memory
    goes in one burst: of a head first the scales, then chunk by chunk (the row as a whole, where chunks adjoin), and
    of each what is one port's after the other's. A transfer on `start` begins a token, the fields but `token` and
    `last` as in the first; per head its values come on `i` and its scale on `i_scale`, always taken. A head leaves
    when its last token is there, through the `BurstFormer` behind `write`. `busy` from then until the last beat of
    all heads has left that; the next first token starts when it is low. The strobes cover the bytes of the heads alone.

    Throughput: a word a cycle; a head of n rows of b beats in c chunks leaves in about n b + c + 5 cycles.
    """

    def __init__(self, *, kv_bits: int, ports: int, rows: int, heads: int, beats: int, lanes: int) -> None:
        """rows: a power of two, at most 16; heads and beats of 16 bytes: of a token, at most."""
        self._ports, self._rows, self._lanes = ports, rows, lanes
        self._kv_bits, self._heads, self._beats = kv_format(kv_bits).bits, heads, beats
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(quantised_word(lanes), always_ready=True)),
            "i_scale": In(stream.Signature(SCALAR, always_ready=True)),
            "write": Out(BurstPort()),
            "busy": Out(1),
        })

    def _physical(self, address: Value) -> Value:
        """Of the bits above a beat's bytes, the port's number moves above the beat's: wiring alone."""
        address = Value.cast(address)[:40]
        port_bits, beat_bits = exact_log2(self._ports), exact_log2(BURST_BEATS)
        port, beat = address[4:4 + port_bits], address[4 + port_bits:4 + port_bits + beat_bits]
        return Cat(address[:4], beat, port, address[4 + port_bits + beat_bits:])

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.stage = stage = KVStage(
            kv_bits=self._kv_bits, rows=self._rows, heads=self._heads, beats=self._beats,
            lanes=self._lanes)
        m.submodules.walk = walk = KVWalk(ports=self._ports, rows=self._rows, heads=self._heads, beats=self._beats)
        connect(m, flipped(self.i), stage.i)
        connect(m, flipped(self.i_scale), stage.i_scale)

        target = Signal(KV_TARGET, reset_less=True)  # of the first token
        row, last = Signal(range(self._rows)), Signal()
        waiting = Signal(range(self._heads + 1))  # heads that are there
        start = self.start.valid & self.start.ready
        within = target.token % BLOCK_TOKENS
        m.d.comb += [
            self.start.ready.eq(~self.start.p.first | ~self.busy), stage.begin.eq(start), stage.row.eq(row),
            stage.within.eq(within[:2] + row),
        ]
        with m.If(start):
            m.d.sync += [row.eq(row + 1), last.eq(self.start.p.last)]
            with m.If(self.start.p.first):
                m.d.sync += [row.eq(0), target.eq(self.start.p)]
        m.d.sync += waiting.eq(waiting + (self.i.valid & self.i.p.last & last) - walk.leaves)

        block_offset, row_offset = Signal(32, reset_less=True), Signal(20)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        scale_block_offset = Signal(32, reset_less=True)
        m.d.sync += [
            block_offset.eq((target.token // BLOCK_TOKENS) * target.block_bytes),
            offset.eq(block_offset + row_offset),
            scale_block_offset.eq((target.token // BLOCK_TOKENS) * target.scale_block_bytes),
            scale_offset.eq(scale_block_offset + (within[2:] << 4)),
        ]
        m.d.comb += [
            row_offset.eq(registered_product(m, platform, within, target.address_stride)),
            walk.target.eq(target), walk.row.eq(row), walk.waiting.eq(waiting),
            walk.offset.eq(offset), walk.scale_offset.eq(scale_offset),
            walk.head_beats.eq(stage.beats), walk.room.eq(self.write.room),
            *(getattr(stage, name).eq(getattr(walk, name))
              for name in ("read_row", "read_beat", "read_scales", "read_head")),
        ]
        self._write(m, stage, walk, waiting)
        return m

    def _write(self, m: Module, stage: KVStage, walk: KVWalk, waiting: Signal) -> None:
        """A place in the stage is read when it is walked; what it is for is told in the two cycles until it is out."""
        then, of_scales, o = Signal.like(walk.now), Signal(), self.write.beat
        group_ends = then.address[4 + exact_log2(self._ports):][:exact_log2(BURST_BEATS)].all()
        m.d.sync += [
            then.eq(walk.now),
            of_scales.eq(then.scales), o.valid.eq(then.scales | (then.place & (then.at < then.wide))),
            o.p.address.eq(self._physical(then.address)),
            o.p.strobe.eq(Mux(then.scales, Cat(lane.replicate(4) for lane in then.lanes),
                              Mux(then.tail, stage.tail, (1 << BEAT_BYTES) - 1))),
            o.p.last.eq(then.scales | then.port_ends | group_ends | (then.next_at >= then.wide)),
            self.busy.eq((waiting != 0) | walk.leaves | ~walk.idle | then.scales | then.place | o.valid
                         | ~self.write.idle | (self.i.valid & self.i.p.last)),
        ]
        m.d.comb += o.p.data.eq(Mux(of_scales, stage.scales, stage.beat))
