"""Writes quantised keys or values, and their scales, into the cache in memory."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR
from hw.command import POSITIONS, field_shapes
from hw.memory.burst_former import BurstPort
from hw.vector.kv_stage import BEAT_BYTES, SCALES_A_BEAT, KVStage, scale_beats
from hw.vector.norm_quant import QUANTISED_WORD
from models.machine.build import BURST_BEATS
from models.machine.cache import BLOCK_TOKENS, chunk_bytes
from models.machine.descriptor import Opcode
from models.machine.kv_format import kv_format

__all__ = ["KV_TARGET", "KVWriter"]

_PITCH_BITS = 7  # of a row's beats, with what pads it

KV_TARGET = data.StructLayout({
    **field_shapes(Opcode.KEY, "address", "address_stride", "block_bytes", "region_bytes", "scale_address",
                   "scale_block_bytes", "head_bytes", "heads"),
    "token": POSITIONS.elem_shape, "first": 1, "last": 1,
})
"""Where the heads of one token go, in logical addresses; whether it is the first, the last of those that leave
together. Rows and blocks of scales lie on multiples of 16 bytes."""


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

    def __init__(self, *, kv_bits: int, ports: int, rows: int, heads: int, beats: int):
        """rows: a power of two, at most 16; heads and beats of 16 bytes: of a token, at most."""
        self._ports, self._rows = ports, rows
        self._chunk = chunk_bytes(ports) // BEAT_BYTES
        self._kv_bits, self._heads, self._beats = kv_format(kv_bits).bits, heads, beats
        super().__init__({
            "start": In(stream.Signature(KV_TARGET)),
            "i": In(stream.Signature(QUANTISED_WORD, always_ready=True)),
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

    def elaborate(self, platform):
        m = Module()
        m.submodules.stage = stage = KVStage(
            kv_bits=self._kv_bits, rows=self._rows, heads=self._heads, beats=self._beats)
        connect(m, flipped(self.i), stage.i)
        connect(m, flipped(self.i_scale), stage.i_scale)

        target = Signal(KV_TARGET, reset_less=True)  # of the first token
        row, last = Signal(range(self._rows)), Signal()
        waiting, leaves = Signal(range(self._heads + 1)), Signal()  # heads that are there
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
        m.d.sync += waiting.eq(waiting + (self.i.valid & self.i.p.last & last) - leaves)

        block_offset, row_offset = Signal(32, reset_less=True), Signal(20, reset_less=True)
        offset, scale_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        scale_block_offset = Signal(32, reset_less=True)
        m.d.sync += [
            block_offset.eq((target.token // BLOCK_TOKENS) * target.block_bytes),
            row_offset.eq(within * target.address_stride),
            offset.eq(block_offset + row_offset),
            scale_block_offset.eq((target.token // BLOCK_TOKENS) * target.scale_block_bytes),
            scale_offset.eq(scale_block_offset + (within[2:] << 4)),
        ]
        self._leave(m, target, row, waiting, leaves, offset, scale_offset)
        return m

    def _leave(self, m: Module, target, row, waiting, leaves, offset, scale_offset) -> None:
        """Walk the beats of the heads that are there. A place in the stage is read when it is walked; what it is for is
        told in the two cycles until its beat is out."""
        stage, room, ports, chunk = m.submodules.stage, self.write.room, self._ports, self._chunk
        some_beats = range(self._beats + 1)
        head = Signal(range(self._heads))
        head_base, scale_base = Signal(40, reset_less=True), Signal(40, reset_less=True)
        head_beat = Signal(some_beats, reset_less=True)  # its first one in the stage
        scale_end = Signal(range(self._rows + SCALES_A_BEAT), reset_less=True)
        scales = Signal(range(scale_beats(self._rows) + 1))

        whole = Signal(reset_less=True)  # chunks adjoin: a row is walked as one
        narrow = Signal(reset_less=True)  # rows are less than a beat of all ports apart
        pitch = Signal(_PITCH_BITS, reset_less=True)  # beats between rows
        spare = Signal(_PITCH_BITS, reset_less=True)  # less those of a beat of all ports
        places = Signal(range(self._rows << _PITCH_BITS), reset_less=True)  # from the first row on
        rows = Signal(range(self._rows + 1), reset_less=True)
        furthest = Signal(signed(_PITCH_BITS + len(rows) + 1), reset_less=True)  # last place, counted from the first
        m.d.sync += [
            whole.eq(target.region_bytes == chunk * BEAT_BYTES),
            narrow.eq(target.address_stride == chunk * BEAT_BYTES if chunk < ports else 0),
            pitch.eq(target.address_stride >> 4), spare.eq(pitch - ports),
            rows.eq(row + 1), places.eq(rows * pitch), furthest.eq(places - 1),
            scale_end.eq(target.token[:2] + rows),
        ]

        # of the chunk: its first beat in the stage, the head's beats from it on; where it begins
        chunk_beat, left = Signal(some_beats, reset_less=True), Signal(some_beats, reset_less=True)
        chunk_base, wide = Signal(40, reset_less=True), Signal(some_beats)
        m.d.comb += wide.eq(Mux(whole | (left < chunk), left, chunk))
        # the place: beat `at` of row `of`, at a logical address, so many before the furthest; every ports-th place is
        # the same port's
        at, of = Signal(_PITCH_BITS, reset_less=True), Signal(range(self._rows + ports), reset_less=True)
        address, before = Signal(40, reset_less=True), Signal(furthest.shape(), reset_less=True)
        phase, port_ends = Signal(range(max(ports, 2))), Signal()
        next_at, next_of = Signal(_PITCH_BITS), Signal.like(of)
        over, carry = Signal(signed(_PITCH_BITS + 1)), Signal()
        m.d.comb += [
            over.eq(at - spare), carry.eq(over >= 0),
            next_at.eq(Mux(narrow, at, Mux(carry, over, at + ports))),
            next_of.eq(of + Mux(narrow, ports // chunk if chunk < ports else 1, carry)),
            port_ends.eq(before < ports),
        ]

        def begin_phase(number):
            narrow_of = Array([n // chunk for n in range(ports)])[number] if ports > 1 else 0
            narrow_at = Array([n % chunk for n in range(ports)])[number] if ports > 1 else 0
            m.d.sync += [phase.eq(number), address.eq(chunk_base + (number << 4)), before.eq(furthest - number),
                         at.eq(Mux(narrow, narrow_at, number)), of.eq(Mux(narrow, narrow_of, 0))]

        walked = data.StructLayout({"scales": 1, "place": 1, "address": 40, "lanes": SCALES_A_BEAT, "at": _PITCH_BITS,
                                    "next_at": _PITCH_BITS, "wide": some_beats, "tail": 1, "port_ends": 1})
        now, then = Signal(walked), Signal(walked, name="then")
        m.d.comb += [
            stage.read_row.eq(of), stage.read_beat.eq(chunk_beat + at), stage.read_scales.eq(scales),
            stage.read_head.eq(head), now.address.eq(address), now.at.eq(at), now.next_at.eq(next_at),
            now.wide.eq(wide), now.tail.eq(left == at + 1), now.port_ends.eq(port_ends),
        ]
        m.d.sync += then.eq(now)
        fresh, idle = Signal(init=1), Signal()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += scales.eq(0)
                with m.If(waiting != 0):
                    m.next = "SCALES"
                    with m.If(fresh):
                        m.d.sync += [fresh.eq(0), head.eq(0), head_beat.eq(0),
                                     head_base.eq(target.address + offset),
                                     scale_base.eq(target.scale_address + scale_offset)]
            with m.State("SCALES"):
                low = scales << 2
                m.d.comb += [
                    now.scales.eq(room), now.address.eq(Cat(Const(0, 4), (scale_base[4:] + scales)[:36])),
                    now.lanes.eq(Cat((low + n >= target.token[:2]) & (low + n < scale_end)
                                     for n in range(SCALES_A_BEAT))),
                ]
                m.d.sync += [chunk_beat.eq(head_beat), left.eq(stage.beats), chunk_base.eq(head_base)]
                with m.If(room):
                    m.d.sync += scales.eq(scales + 1)
                    with m.If(low + SCALES_A_BEAT >= scale_end):
                        m.next = "CHUNK"
            with m.State("CHUNK"):
                begin_phase(Const(0, len(phase)))
                m.next = "WALK"
            with m.State("WALK"):
                m.d.comb += now.place.eq(room & (before >= 0))
                with m.If(room):
                    m.d.sync += [at.eq(next_at), of.eq(next_of), address.eq(address + ports * BEAT_BYTES),
                                 before.eq(before - ports)]
                    with m.If(port_ends):
                        begin_phase((phase + 1)[:len(phase)])
                        with m.If(phase == ports - 1):
                            m.d.sync += [chunk_beat.eq(chunk_beat + chunk), left.eq(left - chunk),
                                         chunk_base.eq(chunk_base + target.region_bytes)]
                            m.next = "CHUNK"
                            with m.If(left == wide):
                                m.next = "HEAD"
            with m.State("HEAD"):
                m.d.comb += leaves.eq(1)
                m.d.sync += [head.eq(head + 1), head_beat.eq(head_beat + stage.beats),
                             head_base.eq(head_base + target.head_bytes),
                             scale_base.eq(scale_base + target.head_bytes), fresh.eq(head == target.heads - 1)]
                m.next = "IDLE"

        o, of_scales = self.write.beat, Signal()
        group_ends = then.address[4 + exact_log2(ports):][:exact_log2(BURST_BEATS)].all()
        m.d.sync += [
            of_scales.eq(then.scales), o.valid.eq(then.scales | (then.place & (then.at < then.wide))),
            o.p.address.eq(self._physical(then.address)),
            o.p.strobe.eq(Mux(then.scales, Cat(lane.replicate(4) for lane in then.lanes),
                              Mux(then.tail, stage.tail, (1 << BEAT_BYTES) - 1))),
            o.p.last.eq(then.scales | then.port_ends | group_ends | (then.next_at >= then.wide)),
            self.busy.eq((waiting != 0) | leaves | ~idle | then.scales | then.place | o.valid | ~self.write.idle
                         | (self.i.valid & self.i.p.last)),
        ]
        m.d.comb += o.p.data.eq(Mux(of_scales, stage.scales, stage.beat))
