"""The order of work of one ATTEND: which beat of the cache goes where, and when."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.attention.jobs import JOB, PAIRS, pair_row
from hw.attention.query_key_dot import key_beat
from hw.command import field_shapes
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, chunk_bytes
from models.machine.descriptor import Opcode

__all__ = ["Intake", "key_event", "value_beat"]


def key_event(context_max: int) -> data.StructLayout:
    """A key that is complete: its token, which pairs attend to it, whether it is its job's last."""
    return data.StructLayout({"token": range(context_max), "counts": PAIRS, "last": 1, "bank": 1})


def value_beat(build: BuildParameters) -> data.StructLayout:
    """A beat of values of one chunk: consecutive tokens, lowest first, and the place of their weights."""
    parts = build.beat_bytes // chunk_bytes(build.ports)
    return data.StructLayout({
        "data": data.ArrayLayout(chunk_bytes(build.ports) * 8, parts), "weights": range(build.context_max // parts),
        "bank": 1,
        "first": 1, "last": 1})


class Intake(wiring.Component):
    """Takes the beats of `ReadRequests` in their order and hands each to the units that use it.

    Of a job: its keys, blocks of scales and rows (`models.machine.cache`); then the values of the job before, whose
    weights must be complete (`weights_ready`, a pulse each); behind the last job's keys its own values too. Jobs
    alternate between bank 0 and bank 1 of queries and weights.

    keys, with `keys_valid`: to the dot products. event, with `event_valid`, in the same cycle where a key ends;
    `key_scale` and `value_scale` are its memory words, two cycles later. values, with `values_valid`: to the
    weighted sums. Nothing behind these holds them up; beats wait here instead: keys for their scores' place
    (`softmax_token`: what of the job before has been read, up to a pulse on `softmax_read`), the last beat of a pass
    over the values for the place of its sums (`sums_free`, a pulse for each pass before, one place to begin with).
    `o` hands the job to the softmax when its last key is taken.

    A beat a cycle but for two or three cycles between keys and values and between jobs.
    """

    def __init__(self, build: BuildParameters, *, chunks: int):
        self._build = build
        self._parts = build.beat_bytes // chunk_bytes(build.ports)
        self._chunks = chunks
        super().__init__({
            **{name: In(shape) for name, shape in field_shapes(Opcode.ATTEND, "dim", "row_bytes").items()},
            "i": In(stream.Signature(JOB)),
            "o": Out(stream.Signature(JOB)),
            "i_data": In(stream.Signature(build.beat_bytes * 8)),
            "keys_valid": Out(1),
            "keys": Out(key_beat(chunk_bytes(build.ports) * 8, self._parts, chunks)),
            "event_valid": Out(1),
            "event": Out(key_event(build.context_max)),
            "key_scale": Out(32),
            "value_scale": Out(32),
            "softmax_token": In(range(build.context_max + 1)),
            "softmax_read": In(1),
            "weights_ready": In(1),
            "values_valid": Out(1),
            "values": Out(value_beat(build)),
            "sums_free": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        build, parts = self._build, self._parts
        tokens = range(build.context_max + 1)
        beats = range(build.context_max // parts)
        job = Signal(JOB, reset_less=True)
        bank = Signal()
        token, last_token = Signal(tokens, reset_less=True), Signal(tokens, reset_less=True)
        # comparisons are made a step ahead: what comes behind the token or beat before the last is the last
        before_last, behind_it = Signal(tokens, reset_less=True), Signal()
        one_token, token_last, block_ends = Signal(reset_less=True), Signal(), Signal()
        chunk_last = Signal(range(self._chunks), reset_less=True)
        value_chunk_last = Signal.like(chunk_last, reset_less=True)
        m.d.sync += [
            chunk_last.eq(self.row_bytes // chunk_bytes(build.ports) - 1),
            value_chunk_last.eq((self.dim - 1) // build.kv.elements_in(chunk_bytes(build.ports))),
        ]
        waiting, waiting_bank = Signal(), Signal()  # the job whose values are to come
        ending = Signal()
        ready, taken = self.i_data.ready, Signal()
        m.d.comb += taken.eq(self.i_data.valid & ready)

        # scores of the job before that the softmax has not read
        unread = Signal()
        room = Signal()
        m.d.sync += room.eq(~unread | (token + 1 < self.softmax_token))  # of the token after the last cycle's
        with m.If(self.softmax_read):
            m.d.sync += unread.eq(0)
        weights = Signal(2)
        use_weights = Signal()
        m.d.sync += weights.eq(weights + self.weights_ready - use_weights)
        sums_room, use_sums = Signal(init=1), Signal()
        m.d.sync += sums_room.eq((sums_room | self.sums_free) & ~use_sums)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        header_beats = HEADER_BYTES // build.beat_bytes
        header_beat = Signal(range(header_beats))
        header_taken = Signal()
        key_ends = self._walk_keys(m, token, chunk_last, bank, header_taken)
        m.d.sync += [before_last.eq(last_token - 1), one_token.eq(last_token == 0)]
        m.d.comb += token_last.eq(behind_it | one_token)
        for pair in range(PAIRS):
            attended = Signal(tokens, name=f"attended_{pair}", reset_less=True)
            m.d.sync += attended.eq(job.tokens + pair_row(job, pair))
            m.d.comb += self.event.counts[pair].eq(token < attended)
        m.d.comb += [
            self.event_valid.eq(self.keys_valid & key_ends),
            self.event.token.eq(token), self.event.last.eq(token_last), self.event.bank.eq(bank),
        ]

        chunk, beat, before_last_beat = Signal.like(chunk_last), Signal(beats), Signal(beats, reset_less=True)
        first_beat, pass_ends, one_beat = Signal(), Signal(), Signal(reset_less=True)
        m.d.comb += [
            self.values.data.eq(self.i_data.payload), self.values.weights.eq(beat), self.values.bank.eq(waiting_bank),
            self.values.first.eq(first_beat), self.values.last.eq(pass_ends),
        ]

        with m.FSM() as fsm:
            with m.State("JOB"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [job.eq(self.i.p), last_token.eq(self.i.p.tokens + self.i.p.rows_last - 1), token.eq(0),
                             block_ends.eq(0)]
                with m.If(self.i.valid):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += header_taken.eq(self.i_data.valid)
                with m.If(taken):
                    m.d.sync += header_beat.eq(header_beat + 1)
                    with m.If(header_beat == header_beats - 1):
                        m.d.sync += header_beat.eq(0)
                        m.next = "KEYS"
            with m.State("KEYS"):
                m.d.comb += self.keys_valid.eq(taken)
                with m.If(taken & key_ends):
                    m.d.sync += [token.eq(token + 1), behind_it.eq(token == before_last),
                                 block_ends.eq(token % BLOCK_TOKENS == BLOCK_TOKENS - 2)]
                    with m.If(block_ends):
                        m.next = "HEADER"
                    with m.If(token_last):
                        m.next = "HAND OVER"
            with m.State("HAND OVER"):
                with m.If(~self.o.valid):
                    m.d.sync += [self.o.valid.eq(1), self.o.p.eq(job), unread.eq(1)]
                    m.next = "NEXT"
                    with m.If(waiting):
                        m.next = "WEIGHTS"
            with m.State("WEIGHTS"):
                m.d.sync += [chunk.eq(0), beat.eq(0), first_beat.eq(1), pass_ends.eq(one_beat)]
                with m.If(weights != 0):
                    m.d.comb += use_weights.eq(1)
                    m.next = "VALUES"
            with m.State("VALUES"):
                m.d.comb += [self.values_valid.eq(taken), use_sums.eq(taken & pass_ends)]
                with m.If(taken):
                    m.d.sync += [beat.eq(Mux(pass_ends, 0, beat + 1)), first_beat.eq(pass_ends),
                                 pass_ends.eq(one_beat | (beat == before_last_beat))]
                    with m.If(pass_ends):
                        m.d.sync += chunk.eq(chunk + 1)
                        with m.If(chunk == value_chunk_last):
                            m.next = "NEXT"
            with m.State("NEXT"):
                # the values of this job come behind the keys of the next, if there is one
                last_beat = last_token >> ceil_log2(parts)
                m.d.sync += [waiting.eq(1), waiting_bank.eq(bank), ending.eq(job.last),
                             before_last_beat.eq(last_beat - 1), one_beat.eq(last_beat == 0)]
                m.next = "JOB"
                with m.If(ending):
                    m.d.sync += [waiting.eq(0), ending.eq(0), bank.eq(~bank)]
                with m.Elif(job.last):
                    m.next = "WEIGHTS"
                with m.Else():
                    m.d.sync += bank.eq(~bank)
        # one look-up, as all that takes a beat comes behind it
        m.d.comb += ready.eq(fsm.ongoing("HEADER") | (fsm.ongoing("KEYS") & room)
                             | (fsm.ongoing("VALUES") & (sums_room | ~pass_ends)))
        return m

    def _walk_keys(self, m: Module, token: Signal, chunk_last: Signal, bank: Signal, header_taken: Signal) -> Signal:
        """Numbers of the beat's chunks in their keys, and the scales of the key that ends; whether one does."""
        parts, keys = self._parts, self.keys
        numbers = [Signal(range(self._chunks), name=f"number_{part}", init=part) for part in range(parts)]
        ends = [Signal(name=f"ends_{part}", reset_less=True) for part in range(parts)]  # number == chunk_last
        following = Array(range(parts, self._chunks + parts))[numbers[0]]  # a table, as a carry chain is another level
        if parts == 1:
            after = [Mux(ends[0], 0, following)]
        else:  # the key that ends in a beat's first chunk has an odd number of them
            after = [Mux(ends[0], 1, Mux(ends[1], 0, following)),
                     Mux(ends[0], 2, Mux(ends[1], 1, Mux(following == chunk_last, 0, following + 1)))]
        key_ends = Signal()
        m.d.comb += [
            key_ends.eq(Cat(ends).any()), keys.data.eq(self.i_data.payload), keys.bank.eq(bank),
        ]
        for part, number in enumerate(numbers):
            m.d.comb += [keys.parts[part].chunk.eq(number), keys.parts[part].first.eq(number == 0),
                         keys.parts[part].last.eq(ends[part])]
            with m.If(self.keys_valid):
                m.d.sync += [number.eq(after[part]), ends[part].eq(after[part] == chunk_last)]
            with m.If(self.i.ready):  # between jobs
                m.d.sync += [number.eq(part), ends[part].eq(chunk_last == part)]

        words = data.ArrayLayout(32, 2 * BLOCK_TOKENS)
        header, index = Signal(words, reset_less=True), Signal(ceil_log2(BLOCK_TOKENS), reset_less=True)
        with m.If(header_taken):
            m.d.sync += header.eq(Cat(header.as_value()[len(self.i_data.payload):], self.i_data.payload))
        m.d.sync += [
            index.eq(token), self.key_scale.eq(header[index]),
            self.value_scale.eq(data.View(data.ArrayLayout(32, BLOCK_TOKENS),
                                          header.as_value()[32 * BLOCK_TOKENS:])[index]),
        ]
        return key_ends
