"""The head engine: logits of every vocabulary row, and the k largest, at the pace of the weight stream."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR, from_word
from hw.command import COMMAND_BITS, command_layout
from hw.head.beat_packer import BeatPacker
from hw.head.dot import ACTIVATION_BITS
from hw.head.logit_scale import LOGIT_BITS, LogitScale
from hw.head.row_sums import RowSums
from hw.head.top_k import CANDIDATE, TopK
from hw.linear.activations import activation_layout
from hw.memory.shapes import ID_BITS, LISTED_ROW, WRITE_BEAT
from hw.stream.queue import Queue
from hw.stream.register_slice import sliced
from hw.stream.reserved_queue import ReservedQueue
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["HeadEngine"]

_LISTED_BYTES = 8  # id and logit
_BETWEEN = 4  # logits, and write beats: so that no ready comes from far


class HeadEngine(wiring.Component):
    """LOGITS {vocab, rows, count, k, write_logits, listed, logits, top}: logits of `vocab` rows of `count` channels.

    Contract: golden `head.logits` and `head.top_k` bit for bit (docs/numerics.md §10), for rows 0 .. rows - 1 of
    the activations, 1 to build.head_rows; k is 1 to build.top_k. With write_logits: logit v of row r, int32,
    at logits + r * 4 * vocab_padded + 4 * v, where vocab_padded is vocab rounded up to a multiple of 4 (the
    padding is not written). Always: entry j of row r's list, {id: uint32, logit: int32}, at
    top + 8 * (r * build.top_k + j); where k > vocab the entries left over have id 2**24 - 1, logit -2**31.
    `logits`, `top` and 8 * build.top_k are multiples of 16. With `listed` (never with write_logits) the `vocab` rows
    are some of the vocabulary's, in any order, with the ids that `i_rows` gives them.

    `i_activations`: int16 elements, complete before the command; always ready; row r's scale is unit[first_row + r].
    Both stay unchanged until the command retires. `i_weights`: `models.machine.layout.head_stream` without its
    padding to bursts, for listed rows what `hw.memory.row_gather` takes of it; no beat is taken between commands.
    `o_write`: single beats; `write_idle`: high when all of them are answered, low from the cycle after a
    transfer until then. `command` is taken when the engine is idle; `retired` pulses when all is written.

    Widths: products signed(24), sums signed(24 + ceil(log2 hidden_max)). Backpressure of the writes reaches the
    weights (`RowSums`).
    Cycles of a command: the beats of the stream, one a cycle, or vocab x rows logits, whichever is more; then about
    40 to drain, about rows x k for the lists, and the writes' latency. `hw.head.top_k` says when insertions slow this.
    """

    def __init__(self, build: BuildParameters) -> None:
        if build.top_k % 2:
            raise ValueError(f"top_k must be even, so that every row's list begins on a beat, got {build.top_k}")
        self._build = build
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "i_weights": In(stream.Signature(build.beat_bytes * 8)),
            "i_rows": In(stream.Signature(LISTED_ROW)),
            "i_activations": In(stream.Signature(activation_layout(ACTIVATION_BITS, build.lanes))),
            "unit": In(data.ArrayLayout(SCALAR, build.slots)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "write_idle": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        m.submodules.row_sums = sums = RowSums(build)
        m.submodules.top_k = top_k = TopK(build.head_rows, build.top_k)
        m.submodules.logits = logits = BeatPacker(LOGIT_BITS, build.head_rows)
        m.submodules.top = top = BeatPacker(8 * _LISTED_BYTES, build.head_rows)
        for source, sink in ((self.i_weights, sums.i_weights), (self.i_rows, sums.i_rows),
                             (self.i_activations, sums.i_activations)):
            connect(m, flipped(source), sink)

        fields = Signal(command_layout(Opcode.LOGITS), reset_less=True)  # of the command that is worked on
        start, starting = Signal(), Signal()
        m.d.sync += starting.eq(start)
        with m.If(start):
            m.d.sync += fields.eq(self.command.payload)
        m.d.comb += [
            sums.start.eq(starting), sums.vocab.eq(fields.vocab), sums.count.eq(fields.count),
            sums.listed.eq(fields.listed),
            top_k.clear.eq(starting), top_k.k.eq(fields.k), top_k.rows_used.eq(fields.rows),
            logits.start.eq(starting), logits.base.eq(fields.logits), logits.length.eq(fields.vocab),
            logits.stride.eq(((fields.vocab + 3) >> 2) << 4),
            top.start.eq(starting), top.base.eq(fields.top), top.length.eq(fields.k),
            top.stride.eq(build.top_k * _LISTED_BYTES),
        ]
        to_list, to_store = stream.Signature(CANDIDATE).create(), stream.Signature(logits.i.p.shape()).create()
        final = self._hand_out(m, self._scaled(m, fields, sums), fields, to_list, to_store)
        stored = sliced(m, platform, "stored_slice", to_store)
        connect(m, sliced(m, platform, "listed_slice", to_list), top_k.i)
        connect(m, stored, logits.i)
        self._write(m, top_k, logits, top)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.command.ready.eq(1), start.eq(self.command.valid)]
                with m.If(self.command.valid):
                    m.next = "START"
            with m.State("START"):
                m.next = "LOGITS"
            with m.State("LOGITS"):
                with m.If(final):
                    m.next = "LIST"
            with m.State("LIST"):
                m.d.comb += top_k.drain.eq(1)
                with m.If(top_k.drained):
                    m.next = "SEND"
            with m.State("SEND"):
                with m.If(~stored.valid & logits.idle & top.idle & ~self.o_write.valid):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"):
                with m.If(self.write_idle & sums.done):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m

    def _scaled(self, m: Module, fields: data.View, sums: RowSums) -> wiring.PureInterface:
        """The stream of logits {y, user: {row, id, final}}: sums to logits, row after row of the activations."""
        user = data.StructLayout({"row": 8, "id": ID_BITS, "final": 1})
        m.submodules.scale = scale = LogitScale(sums.sum_bits, user)
        m.submodules.scaled = scaled = ReservedQueue(scale.o.payload.shape(), LogitScale.LATENCY + _BETWEEN)
        connect(m, scale.o, scaled.i)  # always ready, so that nothing stops the logits that are under way
        row, rows_last = Signal(8), Signal(8, reset_less=True)
        units = [Signal(SCALAR, reset_less=True, name=f"unit_{n}") for n in range(self._build.head_rows)]
        m.d.sync += [Value.cast(unit).eq(Value.cast(self.unit[fields.first_row + n])) for n, unit in enumerate(units)]
        m.d.sync += rows_last.eq(fields.rows - 1)
        last_row = row == rows_last
        given, tag = scale.i, sums.o.p.tag
        row_mantissa, row_exponent = from_word(tag.scale)
        m.d.comb += [
            scaled.reserve.eq(sums.o.valid & scaled.free),
            given.valid.eq(scaled.reserve), sums.o.ready.eq(scaled.free & last_row),
            given.p.x.eq(sums.o.p.sums[row]),
            Value.cast(given.p.unit).eq(Array(Value.cast(unit) for unit in units)[row]),
            given.p.scale.m.eq(row_mantissa), given.p.scale.e.eq(row_exponent),
            given.p.user.row.eq(row), given.p.user.id.eq(tag.id), given.p.user.final.eq(tag.final & last_row),
        ]
        with m.If(given.valid):
            m.d.sync += row.eq(Mux(last_row, 0, row + 1))
        return scaled.o

    @staticmethod
    def _hand_out(m: Module, logit: wiring.PureInterface, fields: data.View, to_list: wiring.PureInterface,
                  to_store: wiring.PureInterface) -> Value:
        """Every logit to the list and, where wanted, to memory; whether the command's final one has gone to both."""
        listed, stored, both = Signal(), Signal(), Signal()
        m.d.comb += [
            to_list.valid.eq(logit.valid & ~listed),
            to_list.p.row.eq(logit.p.user.row), to_list.p.id.eq(logit.p.user.id), to_list.p.value.eq(logit.p.y),
            to_store.valid.eq(logit.valid & ~stored & fields.write_logits),
            to_store.p.row.eq(logit.p.user.row), to_store.p.index.eq(logit.p.user.id), to_store.p.item.eq(logit.p.y),
            both.eq((listed | to_list.ready) & (stored | to_store.ready | ~fields.write_logits)),
            logit.ready.eq(both),
        ]
        with m.If(logit.valid):
            m.d.sync += [listed.eq(~both & (listed | to_list.ready)), stored.eq(~both & (stored | to_store.ready))]
        return logit.valid & both & logit.p.user.final

    def _write(self, m: Module, top_k: TopK, logits: BeatPacker, top: BeatPacker) -> None:
        """Beats of logits, then those of the lists: the lists are written after the last logit, so they never meet."""
        m.submodules.written = written = Queue(WRITE_BEAT, _BETWEEN)
        entry = top_k.o.p
        m.d.comb += [
            top.i.valid.eq(top_k.o.valid), top_k.o.ready.eq(top.i.ready),
            top.i.p.row.eq(entry.row), top.i.p.index.eq(entry.index),
            top.i.p.item.eq(Cat(entry.id, Const(0, 32 - ID_BITS), entry.value)),
            written.i.valid.eq(logits.o.valid | top.o.valid),
            written.i.payload.eq(Mux(logits.o.valid, logits.o.payload, top.o.payload)),
            logits.o.ready.eq(written.i.ready),
            top.o.ready.eq(written.i.ready & ~logits.o.valid),
        ]
        connect(m, written.o, flipped(self.o_write))
