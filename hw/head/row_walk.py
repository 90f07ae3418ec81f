"""Follows the head's weight stream: scales and vocabulary rows, all in turn or listed ones."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.shapes import ID_BITS, LISTED_ROW
from models.machine.build import BuildParameters

__all__ = ["ROW_TAG", "RowWalk"]

ROW_TAG = data.StructLayout({"id": ID_BITS, "scale": 32, "final": 1})


class RowWalk(wiring.Component):
    """Takes the beats of one LOGITS command and says what each one is.

    `start` (while `done`): the stream of `vocab` rows of `count` channels follows, both at least 1: blocks of
    beat_bytes / 4 rows, a beat of scales before each. `take` with `first`, `last` and `word` marks a beat
    of a row and its place in it, `next_word` that of the next cycle; `row` (valid for one cycle, with the row's last
    beat) names the row and its scale, a memory word, and whether it is the final one. The last block's rows beyond
    `vocab` are taken and dropped.
    With `listed`, each row has a beat of scales before it, and its id and the place of its scale come on `rows`; the
    scale takes as many cycles as its place, up to the row's first beat.
    `room`: another row may begin. `done`: nothing is left to take; no beat is taken then.
    Format: `models.machine.layout.head_stream`, or `hw.memory.row_gather`. One beat a cycle.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        self._words = range(-(-build.hidden_max // build.beat_bytes))
        super().__init__({
            "start": In(1),
            "vocab": In(ID_BITS),
            "count": In(16),
            "listed": In(1),
            "rows": In(stream.Signature(LISTED_ROW)),
            "room": In(1),
            "done": Out(1),
            "i": In(stream.Signature(build.beat_bytes * 8)),
            "take": Out(1),
            "first": Out(1),
            "last": Out(1),
            "word": Out(self._words),
            "next_word": Out(self._words),
            "row": Out(data.StructLayout({"valid": 1, "tag": ROW_TAG})),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        beat_bytes = self._build.beat_bytes
        block_rows = beat_bytes // 4
        rows_left, row_id = Signal(ID_BITS, reset_less=True), Signal(ID_BITS, reset_less=True)
        count, left = Signal(16, reset_less=True), Signal(16, reset_less=True)  # channels of a row, still to come
        in_block, place = Signal(range(block_rows)), Signal(range(block_rows), reset_less=True)
        scales = Signal(data.ArrayLayout(32, block_rows), reset_less=True)
        scaling = Signal()  # state SCALES, as a register: it enables all scales
        taken = Signal()
        real, short = Signal(reset_less=True), Signal(reset_less=True)  # rows_left != 0; a row is a single beat

        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            self.row.tag.id.eq(row_id),
            self.row.tag.scale.eq(scales[in_block]),
            self.row.tag.final.eq(rows_left == 1),
            self.next_word.eq(self.word),
        ]
        m.d.sync += self.word.eq(self.next_word)
        with m.If(scaling):
            m.d.sync += Value.cast(scales).eq(self.i.payload)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                m.d.sync += [rows_left.eq(self.vocab), real.eq(1), count.eq(self.count),
                             short.eq(self.count <= beat_bytes), row_id.eq(0)]
                with m.If(self.start):
                    m.d.sync += scaling.eq(1)
                    m.next = "SCALES"

            with m.State("SCALES"):
                m.d.comb += [self.i.ready.eq(~self.listed | self.rows.valid),
                             self.rows.ready.eq(self.listed & self.i.valid)]
                m.d.comb += self.next_word.eq(0)
                m.d.sync += [in_block.eq(0), self.first.eq(1), self.last.eq(short), left.eq(count),
                             place.eq(self.rows.p.place)]
                with m.If(self.listed):
                    m.d.sync += row_id.eq(self.rows.p.id)
                with m.If(taken):
                    m.d.sync += scaling.eq(0)
                    m.next = "ROWS"
                    with m.If(self.listed):
                        m.next = "PLACE"

            with m.State("PLACE"):
                with m.If(in_block == place):
                    m.next = "ROWS"
                with m.Else():
                    m.d.sync += in_block.eq(in_block + 1)

            with m.State("ROWS"):
                m.d.comb += [
                    self.i.ready.eq(self.room | ~self.first | ~real),
                    self.take.eq(taken & real),
                    self.row.valid.eq(self.take & self.last),
                ]
                with m.If(taken):
                    m.d.sync += [self.first.eq(self.last), left.eq(Mux(self.last, count, left - beat_bytes)),
                                 self.last.eq(Mux(self.last, short, left <= 2 * beat_bytes))]
                    m.d.comb += self.next_word.eq(Mux(self.last, 0, self.word + 1))
                    with m.If(self.last):
                        m.d.sync += [row_id.eq(row_id + 1), rows_left.eq(rows_left - real),
                                     real.eq(real & (rows_left != 1)), in_block.eq(in_block + 1)]
                        with m.If((in_block == block_rows - 1) | self.listed):
                            m.next = "IDLE"
                            with m.If(rows_left > 1):
                                m.d.sync += scaling.eq(1)
                                m.next = "SCALES"
        return m
