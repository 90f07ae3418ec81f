"""Jobs: what shares one pass over a key-value head's keys and values."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS, POSITIONS, command_layout
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["JOB", "JobWalk", "pair_head", "pair_row", "pairs_last"]

JOB = data.StructLayout({
    "last": 1,  # of the command
    "kv_head": 8, "head": 8,  # the key-value head; the first query head
    "row": 8, "tokens": 16,  # the first row, and the tokens it attends to: one more for each row after it
    "heads_last": 2, "rows_last": 2,  # heads a row, rows, each less one; their product is at most the build's pairs
})
"""Pair p is head p mod heads of row p div heads, where heads = heads_last + 1 is 1 or 2, or rows_last is 0."""


def pair_row(job: data.View, pair: int) -> Value:
    """Row of a pair, counted from the job's first: 0 .. 3."""
    return Mux(job.heads_last == 0, pair, Mux(job.heads_last == 1, pair >> 1, 0))[:2]


def pair_head(job: data.View, pair: int) -> Value:
    """Head of a pair, counted from the job's first: 0 .. 3."""
    return Mux(job.heads_last == 0, 0, Mux(job.heads_last == 1, pair & 1, pair))[:2]


def pairs_last(job: data.View) -> Value:
    """The job's pairs, less one."""
    heads, rows = job.heads_last, job.rows_last
    return Cat(rows[0] | heads[0], rows[1] | heads[1] | (rows[0] & heads[0]))


class JobWalk(wiring.Component):
    """The jobs of an ATTEND command, in the order of their work: by rows, then key-value heads, then query heads.

    With four pairs of head and row a job (`attention_pairs`), a group of one head takes four rows at a time, of two
    heads two, larger ones one row and up to four heads; with two pairs a group of one head takes two rows, larger ones
    one row and up to two heads; with one, every job is one head of one row. The command is taken when the walk is idle;
    its fields hold in `fields` until `retired` comes back. Of its sequence positions[sequence] + token tokens come
    before its first row, `first_row`; that is read two cycles after the command was taken.

    heads must be a multiple of kv_heads; the group size is found by adding, a cycle a head of the group. Then a job
    every third cycle.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "positions": In(POSITIONS),
            "retired": In(1),
            "fields": Out(command_layout(Opcode.ATTEND)),
            "o": Out(stream.Signature(JOB)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        fields, job, pairs = self.fields, self.o.p, self._build.attention_pairs
        heads, group = Signal(8), Signal(8)  # kv_heads times the group size tried; the size
        rows_left, heads_left = Signal(8), Signal(8)  # behind the current row; of the group, from the current head on
        rows_most = Signal(2)  # rows of a full job, less one
        position = Signal(16, reset_less=True)  # of the command's sequence
        final_head, final_group = Signal(reset_less=True), Signal(reset_less=True)  # of the job, from LAST on
        last_group = Signal(8, reset_less=True)
        taken = self.o.valid & self.o.ready
        idle = Signal(init=1)  # state IDLE, as a register: it enables all fields

        m.d.comb += rows_most.eq(Mux(group == 1, pairs - 1, Mux(group == 2, max(pairs // 2, 1) - 1, 0)))
        heads_fit = heads_left <= pairs
        m.d.sync += [final_head.eq(heads_fit), final_group.eq(job.kv_head == last_group)]
        with m.If(idle):
            m.d.sync += fields.eq(self.command.payload)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                with m.If(self.command.valid):
                    m.d.sync += idle.eq(0)
                    m.next = "SHAPE"
            with m.State("SHAPE"):
                m.d.sync += [position.eq(self.positions[fields.sequence] + fields.token),
                             heads.eq(fields.kv_heads), group.eq(1), rows_left.eq(fields.rows - 1),
                             last_group.eq(fields.kv_heads - 1),
                             job.row.eq(fields.first_row), job.kv_head.eq(0), job.head.eq(0)]
                m.next = "GROUP SIZE"
            with m.State("GROUP SIZE"):
                m.d.sync += [heads_left.eq(group), job.tokens.eq(position + 1)]
                with m.If(heads == fields.heads):
                    m.next = "SIZE"
                with m.Else():
                    m.d.sync += [heads.eq(heads + fields.kv_heads), group.eq(group + 1)]
            with m.State("SIZE"):
                m.d.sync += [
                    job.rows_last.eq(Mux(rows_left < rows_most, rows_left, rows_most)),
                    job.heads_last.eq(Mux(heads_fit, heads_left - 1, pairs - 1)),
                ]
                m.next = "LAST"
            with m.State("LAST"):
                m.d.sync += job.last.eq(final_head & final_group & (rows_left == job.rows_last))
                m.next = "JOB"
            with m.State("JOB"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(taken):
                    m.d.sync += [job.head.eq(job.head + job.heads_last + 1), heads_left.eq(heads_left - pairs)]
                    m.next = "SIZE"
                    with m.If(final_head):
                        m.d.sync += [heads_left.eq(group), job.kv_head.eq(job.kv_head + 1)]
                        with m.If(final_group):
                            m.d.sync += [
                                job.kv_head.eq(0), job.head.eq(0), job.row.eq(job.row + job.rows_last + 1),
                                job.tokens.eq(job.tokens + job.rows_last + 1),
                                rows_left.eq(rows_left - job.rows_last - 1),
                            ]
                    with m.If(job.last):
                        m.next = "WORK"
            with m.State("WORK"):
                with m.If(self.retired):
                    m.d.sync += idle.eq(1)
                    m.next = "IDLE"
        return m
