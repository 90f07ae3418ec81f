"""Row gather: the rows of a shortlist out of the head's stream, as pieces of it that are whole bursts."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.command import COMMAND_BITS, command_layout
from hw.memory.shapes import BURST_BYTES, ID_BITS, LIST_PLACE, LISTED_ROW
from hw.memory.stream_fetcher import STREAM_PIECE, times
from hw.memory.stream_router import STREAM_TAG
from hw.memory.stripe_walk import STRIPE_BURSTS
from models.machine.build import BURST_BEATS, BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["RowGather"]

_SCALES = 4  # bytes of a row's scale


class RowGather(wiring.Component):
    """STREAM with `listed` > 0: of a head's stream the rows whose ids are the first `listed` of row `row`'s list.

    For each id, in the list's order: `o_rows` has the id and its place in its block, and two windows of the stream go
    to the head engine: the beat of the block's scales, then the `row_beats` beats of the row
    (`models.machine.layout.head_stream`). The stream of `beats` beats in all lies at `address`, striped. A window is
    asked for in whole bursts: one piece on `o`, or two where it goes on in the next group; `tags` has one entry
    a window, with the beats before and behind it, to be dropped. A piece is followed by the next one when the fetcher
    says `begun`; `retired` pulses with the last one's. `row_beats` is 1 to those of the build's widest row.

    `read` -> `ids`: the list, a place at a time. About 30 cycles an id, fewer than its beats take.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._ports, self._block_rows = build.ports, build.beat_bytes // _SCALES
        self._row_beats = -(-build.hidden_max // build.beat_bytes)
        if build.ports & build.ports - 1:
            raise ValueError(f"ports must be a power of two, got {build.ports}")
        if self._row_beats > (STRIPE_BURSTS - 2) * BURST_BEATS:
            raise ValueError(f"a row of {self._row_beats} beats may not fit two groups of a stream")
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "read": Out(stream.Signature(LIST_PLACE)),
            "ids": In(stream.Signature(ID_BITS)),
            "o_rows": Out(stream.Signature(LISTED_ROW)),
            "tags": Out(stream.Signature(STREAM_TAG)),
            "o": Out(stream.Signature(STREAM_PIECE)),
            "begun": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        burst_bits, stripe_bits = exact_log2(BURST_BEATS), exact_log2(STRIPE_BURSTS)
        layout = command_layout(Opcode.STREAM)
        command = data.View(layout, self.command.payload)
        first = Signal(STREAM_PIECE["first"].shape, reset_less=True)  # of the stream, in bursts
        groups = Signal(STREAM_PIECE["groups"].shape, reset_less=True)
        rest = Signal(stripe_bits, reset_less=True)  # bursts a port of the last group
        left, place = Signal(8, reset_less=True), Signal(LIST_PLACE, reset_less=True)
        row_beats = Signal(range(self._row_beats + 1), reset_less=True)
        block_beats = Signal(range(2 + self._block_rows * self._row_beats), reset_less=True)

        # an id's block and its place there; the beats before the one and within the other
        id = Signal(ID_BITS, reset_less=True)
        in_block, block = id[:exact_log2(self._block_rows)], id[exact_log2(self._block_rows):]
        scales = Signal(len(block) + len(block_beats), reset_less=True)
        within = Signal(len(in_block) + len(row_beats), reset_less=True)
        m.d.sync += [
            block_beats.eq(1 + row_beats * self._block_rows),
            scales.eq(block * block_beats),
            within.eq(in_block * row_beats),
        ]

        # a window: its first beat, and how far its last one is from the first beat of its burst
        beat = Signal(len(groups) + stripe_bits + burst_bits, reset_less=True)
        end = Signal(range(BURST_BEATS + self._row_beats), reset_less=True)
        of_row, further = Signal(), Signal()  # the window is the row's; the piece is its second
        skip, burst, group = beat[:burst_bits], beat[burst_bits:][:stripe_bits], beat[burst_bits + stripe_bits:]
        bursts = Signal(len(end) - burst_bits + 1, reset_less=True)  # left of the window
        room = Signal(stripe_bits + 1, reset_less=True)  # bursts to the end of the group
        group_first, spread = Signal.like(first), Signal(STREAM_PIECE["spread"].shape, reset_less=True)
        straddles, count = Signal(), Signal.like(row_beats)
        m.d.comb += [
            count.eq(Mux(of_row, row_beats, 1)),
            self.read.payload.eq(place),
            self.o_rows.p.id.eq(id), self.o_rows.p.place.eq(in_block),
            self.tags.p.skip.eq(skip), self.tags.p.used.eq(count), self.tags.p.padding.eq(~end[:burst_bits]),
            self.tags.p.head.eq(1),
            straddles.eq(bursts > room),
            self.o.p.first.eq(group_first + burst), self.o.p.rest.eq(Mux(straddles, room, bursts)),
            self.o.p.spread.eq(spread),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += [
                    first.eq(command.address[exact_log2(BURST_BYTES):]),
                    Cat(rest, groups).eq(command.beats[burst_bits:]),
                    left.eq(command.listed), place.row.eq(command.row), place.index.eq(0),
                    row_beats.eq(command.row_beats),
                ]
                with m.If(self.command.valid):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += [self.read.valid.eq(1), self.ids.ready.eq(1)]
                m.d.sync += id.eq(self.ids.payload)
                with m.If(self.read.ready):
                    m.next = "ID"
                with m.If(self.ids.valid):
                    m.next = "ROW"
            with m.State("ID"):
                m.d.comb += self.ids.ready.eq(1)
                m.d.sync += id.eq(self.ids.payload)
                with m.If(self.ids.valid):
                    m.next = "ROW"
            with m.State("ROW"):
                m.d.comb += self.o_rows.valid.eq(1)
                m.d.sync += [of_row.eq(0), further.eq(0)]
                with m.If(self.o_rows.ready):
                    m.next = "WINDOW"
            with m.State("WINDOW"):
                m.d.sync += beat.eq(scales + Mux(of_row, within, 0) + of_row)
                m.next = "END"
            with m.State("END"):
                m.d.sync += end.eq(skip + count - 1)
                m.next = "TAG"
            with m.State("TAG"):
                m.d.comb += self.tags.valid.eq(1)
                m.d.sync += bursts.eq(end[burst_bits:] + 1)
                with m.If(self.tags.ready):
                    m.next = "GROUP"
            with m.State("GROUP"):
                m.d.sync += [
                    group_first.eq(first + (times(group, self._ports) << stripe_bits)),
                    room.eq(STRIPE_BURSTS - burst),
                    spread.eq(Mux(group == groups, rest, STRIPE_BURSTS)),
                ]
                m.next = "PIECE"
            with m.State("PIECE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "BEGIN"
            with m.State("BEGIN"), m.If(self.begun):
                m.next = "WINDOW"
                with m.If(straddles):
                    m.d.sync += [group.eq(group + 1), burst.eq(0), bursts.eq(bursts - room)]
                    m.next = "GROUP"
                with m.Elif(~of_row):
                    m.d.sync += of_row.eq(1)
                with m.Else():
                    m.d.sync += [left.eq(left - 1), place.index.eq(place.index + 1)]
                    m.next = "ASK"
                    with m.If(left == 1):
                        m.d.comb += self.retired.eq(1)
                        m.next = "IDLE"
        return m
