"""The order of work of one ATTEND: which beat of the cache goes where, and when."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.attention.jobs import JOB, pair_row
from hw.attention.key_chunks import KeyChunks
from hw.attention.query_key_dot import key_beat
from hw.attention.slices import slicing
from hw.command import field_shapes
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, chunk_bytes
from models.machine.descriptor import Opcode

__all__ = ["Intake", "key_event", "value_beat"]


def key_event(pairs: int, context_max: int) -> data.StructLayout:
    """A key that is complete: its token, which pairs attend to it, whether it is its job's last."""
    return data.StructLayout({"token": range(context_max), "counts": pairs, "last": 1, "bank": 1})


def value_beat(build: BuildParameters) -> data.StructLayout:
    """A beat of values of one chunk, or a slice of it: consecutive tokens, lowest first, and where their weights are.

    `first`: of the pass' first beat; `last`: of its last, with the last slice.
    """
    cut = slicing(build)
    return data.StructLayout({
        "data": data.ArrayLayout(cut.bits, cut.parts), "weights": range(build.context_max // cut.parts),
        "bank": 1, "slice": range(cut.count),
        "first": 1, "last": 1})


class _Keys(NamedTuple):
    """Where the walk over a job's keys is."""

    token: Signal
    last_token: Signal
    before_last: Signal  # the token before the last
    behind_it: Signal  # `token` is behind that one
    token_last: Signal  # `token` is the last
    block_ends: Signal  # `token` is its block's last
    key_ends: Signal  # the token's key ends with this beat
    header_taken: Signal  # a beat of scales is taken, if there is one
    unread: Signal  # scores of the job before that the softmax has not read


class _Values(NamedTuple):
    """Where the walk over a job's values is, and what it waits for."""

    bank: Signal
    chunk: Signal
    chunk_last: Signal
    beat: Signal
    before_last: Signal  # the beat before the last
    one_beat: Signal  # a pass is a single beat
    first_beat: Signal
    last_beat: Signal
    slice_last: Value  # of its beat
    pass_ends: Value  # with this slice
    weights: Signal  # jobs whose weights are complete
    use_weights: Signal
    sums_room: Signal  # the sums of the pass have their place
    use_sums: Signal


class Intake(wiring.Component):
    """Takes the beats of `ReadRequests`, or their slices (`BeatSlices`), in their order and hands each to its users.

    Of a job: its keys, blocks of scales and rows (`models.machine.cache`); then the values of the job before, whose
    weights must be complete (`weights_ready`, a pulse each); behind the last job's keys its own values too. Jobs
    alternate between bank 0 and bank 1 of queries and weights.

    keys, with `keys_valid`: to the dot products. event, with `event_valid`, in the same cycle where a key ends;
    `key_scale` and `value_scale` are its memory words, two cycles later. values, with `values_valid`: to the
    weighted sums. Nothing behind these holds them up; beats wait here instead: keys for their scores' place
    (`softmax_token`: what of the job before has been read, up to a pulse on `softmax_read`), the last beat of a pass
    over the values for the place of its sums (`sums_free`, a pulse for each pass before, one place to begin with).
    `o` hands the job to the softmax when its last key is taken.

    A beat, or slice, a cycle but for two or three cycles between keys and values and between jobs.
    """

    def __init__(self, build: BuildParameters, *, chunks: int) -> None:
        self._build, self._cut, self._chunks = build, slicing(build), chunks
        super().__init__({
            **{name: In(shape) for name, shape in field_shapes(Opcode.ATTEND, "dim", "row_bytes").items()},
            "i": In(stream.Signature(JOB)),
            "o": Out(stream.Signature(JOB)),
            "i_data": In(stream.Signature(self._cut.beat_bits)),
            "keys_valid": Out(1),
            "keys": Out(key_beat(self._cut.bits, self._cut.parts, chunks)),
            "event_valid": Out(1),
            "event": Out(key_event(build.attention_pairs, build.context_max)),
            "key_scale": Out(32),
            "value_scale": Out(32),
            "softmax_token": In(range(build.context_max + 1)),
            "softmax_read": In(1),
            "weights_ready": In(1),
            "values_valid": Out(1),
            "values": Out(value_beat(build)),
            "sums_free": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        job, bank = Signal(JOB, reset_less=True), Signal()
        ready, taken = self.i_data.ready, Signal()
        m.d.comb += taken.eq(self.i_data.valid & ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        keys, room = self._keys(m, job, bank)
        values = self._values(m)
        waiting, ending = Signal(), Signal()  # the job whose values are to come; it is the command's last

        with m.FSM() as fsm:
            with m.State("JOB"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [job.eq(self.i.p), keys.last_token.eq(self.i.p.tokens + self.i.p.rows_last - 1),
                             keys.token.eq(0), keys.block_ends.eq(0)]
                with m.If(self.i.valid):
                    m.next = "HEADER"
            self._key_states(m, keys, taken)
            with m.State("HAND OVER"):
                with m.If(~self.o.valid):
                    m.d.sync += [self.o.valid.eq(1), self.o.p.eq(job), keys.unread.eq(1)]
                    m.next = "NEXT"
                    with m.If(waiting):
                        m.next = "WEIGHTS"
            self._value_states(m, values, taken)
            with m.State("NEXT"):
                # the values of this job come behind the keys of the next, if there is one
                last_beat = keys.last_token >> ceil_log2(self._cut.parts)
                m.d.sync += [waiting.eq(1), values.bank.eq(bank), ending.eq(job.last),
                             values.before_last.eq(last_beat - 1), values.one_beat.eq(last_beat == 0)]
                m.next = "JOB"
                with m.If(ending):
                    m.d.sync += [waiting.eq(0), ending.eq(0), bank.eq(~bank)]
                with m.Elif(job.last):
                    m.next = "WEIGHTS"
                with m.Else():
                    m.d.sync += bank.eq(~bank)
        # one look-up, as all that takes a beat comes behind it
        m.d.comb += ready.eq(fsm.ongoing("HEADER") | (fsm.ongoing("KEYS") & room)
                             | (fsm.ongoing("VALUES") & (values.sums_room | ~values.pass_ends)))
        return m

    def _keys(self, m: Module, job: data.View, bank: Signal) -> tuple[_Keys, Signal]:
        """The walk over a job's keys, with their events; whether the token after the last cycle's has its place."""
        tokens = range(self._build.context_max + 1)
        token, last_token = Signal(tokens, reset_less=True), Signal(tokens, reset_less=True)
        chunk_last = Signal(range(self._chunks), reset_less=True)
        m.d.sync += chunk_last.eq(self.row_bytes // (self._cut.bits // 8) - 1)
        unread, room = Signal(), Signal()
        m.d.sync += room.eq(~unread | (token + 1 < self.softmax_token))
        with m.If(self.softmax_read):
            m.d.sync += unread.eq(0)

        header_taken, key_ends = Signal(), Signal()
        m.submodules.key_chunks = chunks = KeyChunks(
            chunk_bits=self._cut.bits, parts=self._cut.parts, chunks=self._chunks, sliced=self._cut.count > 1)
        m.d.comb += [
            chunks.chunk_last.eq(chunk_last), chunks.token.eq(token), chunks.bank.eq(bank),
            chunks.beat.eq(self.i_data.payload), chunks.begin.eq(self.i.ready), chunks.header.eq(header_taken),
            chunks.valid.eq(self.keys_valid), self.keys.eq(chunks.keys), key_ends.eq(chunks.ends),
            self.key_scale.eq(chunks.key_scale), self.value_scale.eq(chunks.value_scale),
        ]
        # comparisons are made a step ahead: what comes behind the token before the last is the last
        before_last, behind_it = Signal(tokens, reset_less=True), Signal()
        one_token, token_last, block_ends = Signal(reset_less=True), Signal(), Signal()
        m.d.sync += [before_last.eq(last_token - 1), one_token.eq(last_token == 0)]
        m.d.comb += token_last.eq(behind_it | one_token)
        for pair in range(self._build.attention_pairs):
            attended = Signal(tokens, name=f"attended_{pair}", reset_less=True)
            m.d.sync += attended.eq(job.tokens + pair_row(job, pair))
            m.d.comb += self.event.counts[pair].eq(token < attended)
        m.d.comb += [
            self.event_valid.eq(self.keys_valid & key_ends),
            self.event.token.eq(token), self.event.last.eq(token_last), self.event.bank.eq(bank),
        ]
        return _Keys(token, last_token, before_last, behind_it, token_last, block_ends, key_ends, header_taken,
                     unread), room

    def _values(self, m: Module) -> _Values:
        """The walk over the values of a job, and what it waits for: weights, and the place of its sums."""
        build = self._build
        chunk_last = Signal(range(-(-self._chunks // self._cut.count)), reset_less=True)
        m.d.sync += chunk_last.eq((self.dim - 1) // build.kv.elements_in(chunk_bytes(build.ports)))
        weights, use_weights = Signal(2), Signal()
        m.d.sync += weights.eq(weights + self.weights_ready - use_weights)
        sums_room, use_sums = Signal(init=1), Signal()
        m.d.sync += sums_room.eq((sums_room | self.sums_free) & ~use_sums)

        beats = range(build.context_max // self._cut.parts)
        bank, chunk, beat = Signal(), Signal.like(chunk_last), Signal(beats)
        before_last, one_beat = Signal(beats, reset_less=True), Signal(reset_less=True)
        first_beat, last_beat, pass_ends, slice_last = Signal(), Signal(), Signal(), Const(1)
        if self._cut.count > 1:
            slice_last = self.values.slice == self._cut.count - 1
            with m.If(self.values_valid):
                m.d.sync += self.values.slice.eq(self.values.slice + 1)
        m.d.comb += [
            pass_ends.eq(last_beat & slice_last),
            self.values.data.eq(self.i_data.payload), self.values.weights.eq(beat), self.values.bank.eq(bank),
            self.values.first.eq(first_beat), self.values.last.eq(pass_ends),
        ]
        return _Values(bank, chunk, chunk_last, beat, before_last, one_beat, first_beat, last_beat, slice_last,
                       pass_ends, weights, use_weights, sums_room, use_sums)

    def _key_states(self, m: Module, keys: _Keys, taken: Signal) -> None:
        """Blocks of scales and rows, up to the last key."""
        header_beats = HEADER_BYTES * 8 // self._cut.beat_bits
        header_beat = Signal(range(header_beats))
        with m.State("HEADER"):
            m.d.comb += keys.header_taken.eq(self.i_data.valid)
            with m.If(taken):
                m.d.sync += header_beat.eq(header_beat + 1)
                with m.If(header_beat == header_beats - 1):
                    m.d.sync += header_beat.eq(0)
                    m.next = "KEYS"
        with m.State("KEYS"):
            m.d.comb += self.keys_valid.eq(taken)
            with m.If(taken & keys.key_ends):
                m.d.sync += [keys.token.eq(keys.token + 1), keys.behind_it.eq(keys.token == keys.before_last),
                             keys.block_ends.eq(keys.token % BLOCK_TOKENS == BLOCK_TOKENS - 2)]
                with m.If(keys.block_ends):
                    m.next = "HEADER"
                with m.If(keys.token_last):
                    m.next = "HAND OVER"

    def _value_states(self, m: Module, values: _Values, taken: Signal) -> None:
        """Chunk by chunk a pass over all tokens, once the weights are there."""
        chunk, beat, pass_ends = values.chunk, values.beat, values.pass_ends
        with m.State("WEIGHTS"):
            m.d.sync += [chunk.eq(0), beat.eq(0), values.first_beat.eq(1), values.last_beat.eq(values.one_beat)]
            with m.If(values.weights != 0):
                m.d.comb += values.use_weights.eq(1)
                m.next = "VALUES"
        with m.State("VALUES"):
            m.d.comb += [self.values_valid.eq(taken), values.use_sums.eq(taken & pass_ends)]
            with m.If(taken & values.slice_last):
                m.d.sync += [beat.eq(Mux(pass_ends, 0, beat + 1)), values.first_beat.eq(pass_ends),
                             values.last_beat.eq(values.one_beat | (beat == values.before_last))]
                with m.If(pass_ends):
                    m.d.sync += chunk.eq(chunk + 1)
                    with m.If(chunk == values.chunk_last):
                        m.next = "NEXT"
