"""The order in which the beats of heads leave for the cache, and where each goes."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.command import POSITIONS, field_shapes
from hw.vector.kv_stage import BEAT_BYTES, SCALES_A_BEAT, scale_beats
from models.machine.cache import chunk_bytes
from models.machine.descriptor import Opcode

__all__ = ["KV_TARGET", "KVWalk", "walked_beat"]

_PITCH_BITS = 7  # of a row's beats, with what pads it

KV_TARGET = data.StructLayout({
    **field_shapes(Opcode.KEY, "address", "address_stride", "block_bytes", "region_bytes", "scale_address",
                   "scale_block_bytes", "head_bytes", "heads"),
    "token": POSITIONS.elem_shape, "first": 1, "last": 1,
})
"""Where the heads of one token go, in logical addresses; whether it is the first, the last of those that leave
together. Rows and blocks of scales lie on multiples of 16 bytes."""


def walked_beat(beats: int) -> data.StructLayout:
    """A beat of `scales` in its `lanes`, or a `place` of heads of at most `beats` beats, at a logical `address`.

    A place: beat `at` of a row `wide` beats wide in this chunk (from there on the row is padding), `next_at` that of
    the port's next place. `tail`: the head's last beat; `port_ends`: the port's last place.
    """
    return data.StructLayout({"scales": 1, "place": 1, "address": 40, "lanes": SCALES_A_BEAT, "at": _PITCH_BITS,
                              "next_at": _PITCH_BITS, "wide": range(beats + 1), "tail": 1, "port_ends": 1})


class _Rows(NamedTuple):
    """How the rows of a head lie that leave together."""

    whole: Signal  # chunks adjoin: a row is walked as one
    narrow: Signal  # rows are less than a beat of all ports apart
    spare: Signal  # beats between rows, less those of a beat of all ports
    furthest: Signal  # last place, counted from the first
    scale_end: Signal  # behind the last row's scale, in words of the first one's beat


class KVWalk(wiring.Component):
    """Walk the beats of the heads that are there, `waiting` of them, from the first row of `target` to row `row`.

    Of a head first the scales, then chunk by chunk (the row as a whole, where chunks adjoin), and of each what is one
    port's after the other's: every ports-th place is the same port's. `target` is the first row's; its values begin
    at its address + `offset`, its scales at its scale_address + `scale_offset`, as of the first head. head_beats: of a
    head in the stage. One place a cycle while there is `room`; its beat is read with it (read_*), and `now` says what
    for. `leaves` pulses when a head is through, `idle` while none is at work.
    """

    def __init__(self, *, ports: int, rows: int, heads: int, beats: int) -> None:
        self._ports, self._rows, self._beats = ports, rows, beats
        self._chunk = chunk_bytes(ports) // BEAT_BYTES
        super().__init__({
            "target": In(KV_TARGET),
            "row": In(range(rows)),
            "waiting": In(range(heads + 1)),
            "offset": In(32),
            "scale_offset": In(32),
            "head_beats": In(range(beats + 1)),
            "room": In(1),
            "read_row": Out(range(rows)),
            "read_beat": Out(range(beats)),
            "read_scales": Out(range(scale_beats(rows))),
            "read_head": Out(range(heads)),
            "now": Out(walked_beat(beats)),
            "leaves": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        target, room, now, ports, chunk = self.target, self.room, self.now, self._ports, self._chunk
        rows = self._lie(m)
        head = Signal.like(self.read_head)
        head_base, scale_base = Signal(40, reset_less=True), Signal(40, reset_less=True)
        head_beat = Signal(range(self._beats + 1), reset_less=True)  # its first one in the stage
        scales = Signal(range(scale_beats(self._rows) + 1))
        # of the chunk: its first beat in the stage, the head's beats from it on; where it begins
        chunk_beat, left = Signal.like(head_beat), Signal.like(head_beat)
        chunk_base, wide = Signal(40, reset_less=True), Signal(range(self._beats + 1))
        # the place: beat `at` of row `of`, at a logical address, so many before the furthest
        at, of = Signal(_PITCH_BITS, reset_less=True), Signal(range(self._rows + ports), reset_less=True)
        address, before = Signal(40, reset_less=True), Signal(rows.furthest.shape(), reset_less=True)
        phase, port_ends = Signal(range(max(ports, 2))), Signal()
        next_at, next_of = self._next_place(m, rows, at, of)
        m.d.comb += [
            wide.eq(Mux(rows.whole | (left < chunk), left, chunk)), port_ends.eq(before < ports),
            self.read_row.eq(of), self.read_beat.eq(chunk_beat + at), self.read_scales.eq(scales),
            self.read_head.eq(head), now.address.eq(address), now.at.eq(at), now.next_at.eq(next_at),
            now.wide.eq(wide), now.tail.eq(left == at + 1), now.port_ends.eq(port_ends),
        ]

        def begin_phase(number: Value) -> None:
            """On to the first place of port `number`."""
            first_of, first_at = self._first_place(rows, number)
            m.d.sync += [phase.eq(number), address.eq(chunk_base + (number << 4)), before.eq(rows.furthest - number),
                         at.eq(first_at), of.eq(first_of)]

        fresh = Signal(init=1)  # the next head is a first one
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += scales.eq(0)
                with m.If(self.waiting != 0):
                    m.next = "SCALES"
                    with m.If(fresh):
                        m.d.sync += [fresh.eq(0), head.eq(0), head_beat.eq(0),
                                     head_base.eq(target.address + self.offset),
                                     scale_base.eq(target.scale_address + self.scale_offset)]
            with m.State("SCALES"):
                low = scales << 2
                m.d.comb += [
                    now.scales.eq(room), now.address.eq(Cat(Const(0, 4), (scale_base[4:] + scales)[:36])),
                    now.lanes.eq(Cat((low + n >= target.token[:2]) & (low + n < rows.scale_end)
                                     for n in range(SCALES_A_BEAT))),
                ]
                m.d.sync += [chunk_beat.eq(head_beat), left.eq(self.head_beats), chunk_base.eq(head_base)]
                with m.If(room):
                    m.d.sync += scales.eq(scales + 1)
                    with m.If(low + SCALES_A_BEAT >= rows.scale_end):
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
                m.d.comb += self.leaves.eq(1)
                m.d.sync += [head.eq(head + 1), head_beat.eq(head_beat + self.head_beats),
                             head_base.eq(head_base + target.head_bytes),
                             scale_base.eq(scale_base + target.head_bytes), fresh.eq(head == target.heads - 1)]
                m.next = "IDLE"
        return m

    def _lie(self, m: Module) -> _Rows:
        """From the target and the number of rows; products have registers of their own."""
        target, chunk = self.target, self._chunk
        whole, narrow = Signal(reset_less=True), Signal(reset_less=True)
        pitch, spare = Signal(_PITCH_BITS, reset_less=True), Signal(_PITCH_BITS, reset_less=True)
        rows = Signal(range(self._rows + 1), reset_less=True)
        places = Signal(range(self._rows << _PITCH_BITS), reset_less=True)  # from the first row on
        furthest = Signal(signed(_PITCH_BITS + len(rows) + 1), reset_less=True)
        scale_end = Signal(range(self._rows + SCALES_A_BEAT), reset_less=True)
        m.d.sync += [
            whole.eq(target.region_bytes == chunk * BEAT_BYTES),
            narrow.eq(target.address_stride == chunk * BEAT_BYTES if chunk < self._ports else 0),
            pitch.eq(target.address_stride >> 4), spare.eq(pitch - self._ports),
            rows.eq(self.row + 1), places.eq(rows * pitch), furthest.eq(places - 1),
            scale_end.eq(target.token[:2] + rows),
        ]
        return _Rows(whole, narrow, spare, furthest, scale_end)

    def _next_place(self, m: Module, rows: _Rows, at: Signal, of: Signal) -> tuple[Signal, Signal]:
        """Beat and row of the same port's next place."""
        ports, chunk = self._ports, self._chunk
        next_at, next_of = Signal(_PITCH_BITS), Signal(of.shape())
        over, carry = Signal(signed(_PITCH_BITS + 1)), Signal()
        m.d.comb += [
            over.eq(at - rows.spare), carry.eq(over >= 0),
            next_at.eq(Mux(rows.narrow, at, Mux(carry, over, at + ports))),
            next_of.eq(of + Mux(rows.narrow, ports // chunk if chunk < ports else 1, carry)),
        ]
        return next_at, next_of

    def _first_place(self, rows: _Rows, number: Value) -> tuple[Value, Value]:
        """Row and beat of the first place of port `number`."""
        ports, chunk = range(self._ports), self._chunk
        narrow_of = Array([n // chunk for n in ports])[number] if len(ports) > 1 else 0
        narrow_at = Array([n % chunk for n in ports])[number] if len(ports) > 1 else 0
        return Mux(rows.narrow, narrow_of, 0), Mux(rows.narrow, narrow_at, number)
