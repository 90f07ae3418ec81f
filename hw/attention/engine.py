"""The attention engine: one ATTEND command, all heads of all its rows, at the pace of the ports."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.attention.intake import Intake, key_event
from hw.attention.jobs import JOB, JobWalk
from hw.attention.normaliser import Normaliser
from hw.attention.output_memory import OUTPUT_REQUEST, OutputMemory, output_word
from hw.attention.query_key_dot import QueryKeyDot
from hw.attention.query_load import QueryLoad
from hw.attention.query_memory import QUERY_SCALE, QueryMemory, query_part
from hw.attention.read_requests import READ_REQUEST, ReadRequests
from hw.attention.reciprocals import Reciprocals
from hw.attention.score_memory import ScoreMemory
from hw.attention.score_scale import ScoreScale
from hw.attention.sliced_sum import SlicedSum
from hw.attention.slices import BeatSlices, slicing
from hw.attention.softmax import Softmax
from hw.attention.weight_memory import WeightMemory
from hw.attention.weighted_sum import WeightedSum
from hw.command import COMMAND_BITS, POSITIONS
from hw.stream.queue import Queue
from models.machine.build import BuildParameters

__all__ = ["AttentionEngine"]

_JOBS_AHEAD = 4  # whose reads are under way
_SCALES_LATE = 2  # cycles from a key's event to its scales


def _delayed(m: Module, name: str, value: Value, cycles: int) -> Value:
    """A value some cycles ago, through shift registers."""
    for n in range(cycles):
        before, value = value, Signal(value.shape(), name=f"{name}_{n}", reset_less=True)
        m.d.sync += Value.cast(value).eq(Value.cast(before))
    return value


class AttentionEngine(wiring.Component):
    """Attention of query rows over the cache: keys and values streamed once for the (head, row) pairs of a job.

    Contract: golden `attention` bit for bit, row by row (docs/numerics.md §7), for ATTEND commands.
    Row first_row + r attends to tokens 0 .. positions[sequence] + token + r; `positions` hold still during a command.
    `retired` pulses when all results are in the output memory. Queries and query scales of the command's rows and
    heads are written before the command and may not change until then; those inputs are always ready.

    Work goes by jobs (`JobWalk`): a key-value head and the pairs that share its pass; the heads of a group, or several
    rows where a group has one or two heads. Reads go out on `o_read` {address, bytes}, whole beats of all ports, at
    logical addresses (`models.machine.cache`), and come back on `i_data` in order. A job's keys come before the
    values of the job before it, so that its softmax runs beside both. Of the last row's tokens nothing beyond is
    read.

    Results: a transfer on `i_request` {count, row, group_channels} gives the row's channels on `o`, build.lanes at a
    time, aligned to the row's largest exponent, and that exponent on `exponent` (`OutputMemory`).

    Throughput: a beat a cycle. With n tokens of the job's last row, c chunks a row and h of them a beat, a job takes
    ceil(n / 16) * 128 / beat + 2 c n / h cycles and about 8 more, if that is at least: 2 n where it has more than two
    pairs and c is less than 3 (softmax); 45 a pair (`Reciprocals`); dim / 2 a pair (`Normaliser`).

    With `query_word` below 16 a beat of one chunk is taken in slices of so many elements, one a cycle, and the
    normaliser takes dim cycles a pair.

    Limits: heads <= heads_max, dim <= head_dim_max and a multiple of 8, both together as `BuildParameters.check` has
    them, position + rows <= context_max, rows <= build.slots, ports 1, 2 or 4. Any group size.
    """

    def __init__(self, build: BuildParameters) -> None:
        if build.ports == 3:
            raise ValueError("the cache is laid out for 1, 2 or 4 ports, not 3")
        self._build, self._cut = build, slicing(build)
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "positions": In(POSITIONS),
            "i_query": In(stream.Signature(query_part(build.lanes))),
            "i_query_scale": In(stream.Signature(QUERY_SCALE)),
            "o_read": Out(stream.Signature(READ_REQUEST)),
            "i_data": In(stream.Signature(build.beat_bytes * 8)),
            "i_request": In(stream.Signature(OUTPUT_REQUEST)),
            "o": Out(stream.Signature(output_word(build.lanes))),
            "exponent": Out(signed(10)),
        })

    def elaborate(self, platform) -> Module:
        build, context, rows = self._build, self._build.context_max, self._build.slots
        dim_max, kv_bits = build.head_dim_max, build.kv_bits
        cut, channels, pairs = self._cut, build.attention_channels, build.attention_pairs
        parts, word = cut.parts, build.query_word
        sizes = {"pairs": pairs, "kv_bits": kv_bits}
        m = Module()
        m.submodules.walk = walk = JobWalk(build)
        m.submodules.requests = requests = ReadRequests(build)
        m.submodules.queries = queries = QueryMemory(
            rows=rows, heads=build.heads_max, dim_max=dim_max, places=build.query_words, lanes=build.lanes,
            word=word)
        longest = dim_max if cut.count == 1 else -(-dim_max // cut.elements) * cut.elements  # keys are whole chunks
        m.submodules.dot = dot = QueryKeyDot(**sizes, chunk_bits=cut.bits, parts=parts, word=word, dim_max=longest)
        m.submodules.load = load = QueryLoad(
            pairs=pairs, rows=rows, heads=build.heads_max, words=dot.chunks * dot.lanes // word, word=word)
        m.submodules.intake = intake = Intake(build, chunks=dot.chunks)
        event_layout = key_event(pairs, context)
        user = data.StructLayout({"value_scale": 32, "event": event_layout})
        m.submodules.scaling = scaling = ScoreScale(pairs=pairs, dot_bits=dot.dot_bits, user_layout=user)
        m.submodules.scores = scores = ScoreMemory(pairs=pairs, context_max=context)
        m.submodules.softmax = softmax = Softmax(pairs=pairs, context_max=context, parts=parts)
        m.submodules.weights = weights = WeightMemory(pairs=pairs, context_max=context, parts=parts)
        if cut.count == 1:
            sums = WeightedSum(**sizes, chunk_bits=cut.bits, parts=parts, context_max=context)
        else:
            sums = SlicedSum(**sizes, lanes=word, slices=cut.count, context_max=context)
        m.submodules.sums = sums
        m.submodules.reciprocals = reciprocals = Reciprocals(pairs=pairs, kv_bits=kv_bits, context_max=context)
        m.submodules.normaliser = normaliser = Normaliser(
            pairs=pairs, kv_bits=kv_bits, lanes=sums.lanes, sum_bits=sums.sum_bits, rows=rows, channels=channels,
            dim_max=dim_max, sum_lanes=sums.sum_lanes)
        m.submodules.outputs = outputs = OutputMemory(rows=rows, channels=channels, groups=build.heads_max,
                                                      lanes=build.lanes, written=sums.sum_lanes)
        m.submodules.waiting = waiting = Queue(JOB, _JOBS_AHEAD)

        for source, sink in (
            (flipped(self.command), walk.command),
            (flipped(self.i_query), queries.i_query), (flipped(self.i_query_scale), queries.i_query_scale),
            (flipped(self.i_request), outputs.i_request), (outputs.o, flipped(self.o)),
            (requests.read, flipped(self.o_read)),
            (walk.o, requests.i), (requests.o, waiting.i), (waiting.o, load.i), (load.o, intake.i),
            (intake.o, softmax.i), (softmax.o, weights.i), (softmax.o_totals, reciprocals.i),
            (reciprocals.o, normaliser.i), (reciprocals.o_exponent, outputs.i_exponent), (normaliser.o, outputs.i),
        ):
            connect(m, source, sink)

        beats = flipped(self.i_data)
        if cut.count > 1:
            m.submodules.slices = slices = BeatSlices(cut.bits, cut.count)
            connect(m, beats, slices.i)
            beats = slices.o
            m.d.comb += sums.slice.eq(intake.values.slice)
        connect(m, beats, intake.i_data)

        fields = walk.fields
        m.d.comb += [
            walk.positions.eq(self.positions), walk.retired.eq(normaliser.retired), self.retired.eq(normaliser.retired),
            self.exponent.eq(outputs.exponent),
            *(getattr(requests, name).eq(fields[name]) for name in (
                "head_bytes", "row_bytes", "block_bytes", "region_bytes", "key_scales", "values")),
            load.dim.eq(fields.dim), requests.dim.eq(fields.dim), intake.dim.eq(fields.dim),
            load.score_constant.eq(fields.score_constant),
            intake.row_bytes.eq(fields.row_bytes), normaliser.dim.eq(fields.dim),

            # queries
            queries.row.eq(load.row), queries.head.eq(load.head), queries.index.eq(load.index),
            load.word.eq(queries.word), load.scale.eq(queries.scale),
            dot.write_valid.eq(load.write_valid), dot.write.eq(load.write),

            # keys
            dot.valid.eq(intake.keys_valid), dot.i.eq(intake.keys),
        ]
        valid = Signal(dot.latency)
        m.d.sync += valid.eq((valid << 1) | intake.event_valid)
        event = data.View(event_layout, Value.cast(_delayed(m, "event", intake.event, dot.latency)))
        key_scale = _delayed(m, "key_scale", intake.key_scale, dot.latency - _SCALES_LATE)
        value_scale = _delayed(m, "value_scale", intake.value_scale, dot.latency - _SCALES_LATE)
        scored = scaling.o.p
        m.d.comb += [
            scaling.i.valid.eq(valid[-1]), scaling.i.p.dots.eq(dot.dots), scaling.i.p.key_scale.eq(key_scale),
            scaling.i.p.units.eq(load.units[event.bank]),
            scaling.i.p.user.event.eq(event), scaling.i.p.user.value_scale.eq(value_scale), scaling.o.ready.eq(1),
            load.bank_free.eq(valid[-1] & event.last),
            scores.i.valid.eq(scaling.o.valid), scores.i.p.scores.eq(scored.scores),
            scores.i.p.value_scale.eq(scored.user.value_scale), scores.i.p.token.eq(scored.user.event.token),
            scores.i.p.counts.eq(scored.user.event.counts), scores.i.p.last.eq(scored.user.event.last),

            # softmax
            softmax.complete.eq(scores.complete), scores.address.eq(softmax.address), softmax.word.eq(scores.word),
            softmax.maximum.eq(scores.maximum), softmax.largest.eq(scores.largest),
            intake.softmax_token.eq(softmax.token), intake.softmax_read.eq(softmax.read),
            intake.weights_ready.eq(softmax.ready),

            # values
            weights.bank.eq(intake.values.bank), weights.beat.eq(intake.values.weights),
            sums.valid.eq(intake.values_valid), sums.values.eq(intake.values.data),
            sums.first.eq(intake.values.first), sums.last.eq(intake.values.last), sums.weights.eq(weights.weights),
            normaliser.done.eq(sums.done), intake.sums_free.eq(normaliser.freed),
            sums.pair.eq(normaliser.pair), sums.step.eq(normaliser.step), normaliser.sums.eq(sums.sums),
        ]
        return m
