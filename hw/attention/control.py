"""The order of work of one ATTEND: which data beat goes where, and when each pass begins."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.attention.query_key_dot import ROW_BEAT
from hw.attention.scale_memory import WORDS_PER_BEAT
from hw.command import COMMAND_BITS, command_layout
from models.machine.build import PORT_BYTES, BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["AttentionControl"]


class AttentionControl(wiring.Component):
    """Walks rows and kv heads of a command; hands the data beats of each to scales, keys and values in turn.

    The command is accepted when idle and its fields hold in `fields` until `retired` pulses. `row`,
    `tokens` (position + row + 1), `group` (the kv head), `first_head`, `group_last` (heads a group, less
    one) and `beats_last` (beats a key, less one) describe the kv head at work. Pulses: `begin_reads` once,
    `begin_keys` before a kv head's first data beat, `begin_values` when its scores are complete
    (`scores_complete`) and the results of the one before are out (`normalised`, a pulse). Data beats wait
    only in between, and for the units behind the four outputs.

    heads must be a multiple of kv_heads; the group size is found by adding, a cycle a head of the group.
    """

    def __init__(self, build: BuildParameters, group_max: int):
        self._context, self._row_bytes = build.context_max, build.head_dim_max * build.kv_bits // 8
        port = stream.Signature(PORT_BYTES * 8)
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "position": In(16),
            "retired": Out(1),
            "fields": Out(command_layout(Opcode.ATTEND)),
            "row": Out(range(build.slots)),
            "tokens": Out(range(build.context_max + 1)),
            "group": Out(range(build.heads_max)),
            "first_head": Out(range(build.heads_max)),
            "group_last": Out(range(group_max)),
            "beats_last": Out(range(-(-self._row_bytes // PORT_BYTES))),
            "begin_reads": Out(1),
            "begin_keys": Out(1),
            "begin_values": Out(1),
            "scores_complete": In(1),
            "normalised": In(1),
            "i_data": In(port),
            "o_key_scales": Out(port),
            "o_value_scales": Out(port),
            "o_keys": Out(stream.Signature(ROW_BEAT)),
            "o_values": Out(stream.Signature(ROW_BEAT)),
        })

    def elaborate(self, platform):
        m = Module()
        heads = Signal(8)  # kv_heads times the group size tried
        scale_beat = Signal(range(-(-self._context // WORDS_PER_BEAT)))
        token, beat = Signal.like(self.tokens, init=0), Signal.like(self.beats_last, init=0)
        scales_end = scale_beat == (self.tokens - 1) >> 2
        row_end = beat == self.beats_last
        rows_end = (token == self.tokens - 1) & row_end
        taken = self.i_data.valid & self.i_data.ready

        # the sums are in use from the pass over the scores to the end of the normalisation
        sums_busy = Signal()
        with m.If(self.begin_values):
            m.d.sync += sums_busy.eq(1)
        with m.Elif(self.normalised):
            m.d.sync += sums_busy.eq(0)

        for port in (self.o_key_scales, self.o_value_scales):
            m.d.comb += port.payload.eq(self.i_data.payload)
        for port in (self.o_keys, self.o_values):
            m.d.comb += [port.p.data.eq(self.i_data.payload), port.p.last.eq(rows_end)]

        def pass_to(port) -> None:
            m.d.comb += [port.valid.eq(self.i_data.valid), self.i_data.ready.eq(port.ready)]

        def pass_scales(port, then: str) -> None:
            pass_to(port)
            with m.If(taken):
                m.d.sync += scale_beat.eq(Mux(scales_end, 0, scale_beat + 1))
                with m.If(scales_end):
                    m.next = then

        def pass_rows(port) -> None:
            pass_to(port)
            with m.If(taken):
                m.d.sync += beat.eq(Mux(row_end, 0, beat + 1))
                with m.If(row_end):
                    m.d.sync += token.eq(Mux(rows_end, 0, token + 1))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += [self.fields.eq(self.command.payload), self.tokens.eq(self.position + 1),
                             self.row.eq(0), self.group.eq(0), self.first_head.eq(0)]
                with m.If(self.command.valid):
                    m.next = "SHAPE"
            with m.State("SHAPE"):
                m.d.sync += [heads.eq(self.fields.kv_heads), self.group_last.eq(0),
                             self.beats_last.eq((self.fields.row_bytes >> 4) - 1)]
                m.next = "GROUP SIZE"
            with m.State("GROUP SIZE"):
                m.d.sync += [heads.eq(heads + self.fields.kv_heads), self.group_last.eq(self.group_last + 1)]
                with m.If(heads == self.fields.heads):
                    m.d.sync += self.group_last.eq(self.group_last)
                    m.d.comb += self.begin_reads.eq(1)
                    m.next = "KV HEAD"
            with m.State("KV HEAD"):
                m.d.comb += self.begin_keys.eq(1)
                m.next = "KEY SCALES"
            with m.State("KEY SCALES"):
                pass_scales(self.o_key_scales, "VALUE SCALES")
            with m.State("VALUE SCALES"):
                pass_scales(self.o_value_scales, "KEYS")
            with m.State("KEYS"):
                pass_rows(self.o_keys)
                with m.If(taken & rows_end):
                    m.next = "SCORES"
            with m.State("SCORES"):
                with m.If(self.scores_complete & ~sums_busy):
                    m.d.comb += self.begin_values.eq(1)
                    m.next = "VALUES"
            with m.State("VALUES"):
                pass_rows(self.o_values)
                with m.If(taken & rows_end):
                    m.next = "KV HEAD"
                    m.d.sync += [self.group.eq(self.group + 1),
                                 self.first_head.eq(self.first_head + self.group_last + 1)]
                    with m.If(self.group == self.fields.kv_heads - 1):
                        m.d.sync += [self.group.eq(0), self.first_head.eq(0), self.row.eq(self.row + 1),
                                     self.tokens.eq(self.tokens + 1)]
                        with m.If(self.row == self.fields.rows - 1):
                            m.next = "RESULTS"
            with m.State("RESULTS"):
                with m.If(~sums_busy):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
