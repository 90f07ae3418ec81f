"""The decode attention engine: one ATTEND command, all heads of all rows."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.attention.control import AttentionControl
from hw.attention.normaliser import Normaliser, output_fraction
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD, OutputMemory
from hw.attention.query_key_dot import QueryKeyDot
from hw.attention.query_memory import QUERY, QUERY_SCALE, QueryMemory
from hw.attention.read_requests import READ_REQUEST, ReadRequests
from hw.attention.scale_memory import ScaleMemory
from hw.attention.score_memory import ScoreMemory
from hw.attention.score_scale import ScoreScale
from hw.attention.softmax import Softmax
from hw.attention.weighted_sum import WeightedSum
from hw.command import COMMAND_BITS
from models.machine.build import PORT_BYTES, BuildParameters
from models.machine.scalar_format import MANTISSA_BITS
from models.machine.tables import P_FRACTION

__all__ = ["AttentionEngine"]


class AttentionEngine(wiring.Component):
    """Attention of query rows over the cache, keys and values streamed once per row and kv head.

    Contract: golden `attention` bit for bit, row by row (docs/numerics.md §7), for ATTEND commands.
    `position` is sampled with the command; row r attends to tokens 0 .. position + r. `retired` pulses
    when all results are in the output memory. Queries and query scales of all rows and heads are written
    before the command and may not change until then; those inputs are always ready.

    Reads go out on `o_read` {address, bytes}, for each row and kv head: key scales, value scales, keys,
    values (`ReadRequests`), and come back on `i_data` in that order, each read rounded up to 16-byte
    beats. Scales are 32-bit memory words; a key or value is row_bytes (a multiple of 16), its elements
    int8 (kv_bits = 8) or little-endian int16, padding of keys zero. Requests run ahead of the data.

    Results: a transfer on `i_request` {count, row, group_channels} gives the row's channels on `o`,
    aligned to the row's largest exponent, and that exponent on `exponent` (`OutputMemory`).

    Throughput: a beat of keys or values serves the heads of a group one after another. With n tokens,
    g = heads / kv_heads and b = row_bytes / 16 a kv head takes 2 ceil(n / 4) + 2 g b n + 47 cycles when
    the data is there. The normalisation of its results, g (dim + 42) + 21, runs beside the next head's
    scales and keys and shows after the last head; where it is the longer, a kv head takes
    g b n + g (dim + 42) + 22.

    Limits: heads <= heads_max, heads / kv_heads <= group_max, dim <= head_dim_max, position + rows <=
    context_max, rows <= build.slots; scores on chip: group_max * context_max words.
    """

    def __init__(self, build: BuildParameters, *, group_max: int | None = None):
        self._build, self._group_max = build, build.group_max if group_max is None else group_max
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "position": In(16),
            "i_query": In(stream.Signature(QUERY)),
            "i_query_scale": In(stream.Signature(QUERY_SCALE)),
            "o_read": Out(stream.Signature(READ_REQUEST)),
            "i_data": In(stream.Signature(PORT_BYTES * 8)),
            "i_request": In(stream.Signature(OUTPUT_REQUEST)),
            "o": Out(stream.Signature(OUTPUT_WORD)),
            "exponent": Out(signed(10)),
        })

    def elaborate(self, platform):
        build, context = self._build, self._build.context_max
        sizes = {"kv_bits": build.kv_bits, "dim_max": build.head_dim_max, "group_max": self._group_max}
        scores_sizes = {"group_max": self._group_max, "context_max": context}
        m = Module()
        m.submodules.control = control = AttentionControl(build, self._group_max)
        m.submodules.requests = requests = ReadRequests(rows=build.slots, context_max=context)
        m.submodules.dot = dot = QueryKeyDot(**sizes)
        m.submodules.queries = queries = QueryMemory(
            rows=build.slots, heads=build.heads_max, dim_max=build.head_dim_max, lanes=dot.lanes)
        m.submodules.key_scales = key_scales = ScaleMemory(context_max=context)
        m.submodules.value_scales = value_scales = ScaleMemory(context_max=context)
        m.submodules.scaling = scaling = ScoreScale(dot_bits=dot.dot_bits, **scores_sizes)
        m.submodules.scores = scores = ScoreMemory(**scores_sizes)
        m.submodules.softmax = softmax = Softmax(**scores_sizes)
        m.submodules.sums = sums = WeightedSum(**sizes, context_max=context)
        m.submodules.normaliser = normaliser = Normaliser(
            **sizes, sum_bits=sums.sum_bits, total_bits=len(softmax.total))
        m.submodules.outputs = outputs = OutputMemory(
            rows=build.slots, channels=build.heads_max * build.head_dim_max, groups=build.heads_max)

        for source, sink in (
            (flipped(self.command), control.command), (flipped(self.i_data), control.i_data),
            (flipped(self.i_query), queries.i_query), (flipped(self.i_query_scale), queries.i_query_scale),
            (flipped(self.i_request), outputs.i_request), (outputs.o, flipped(self.o)),
            (requests.o, flipped(self.o_read)),
            (control.o_key_scales, key_scales.i), (control.o_value_scales, value_scales.i),
            (control.o_keys, dot.i), (dot.o, scaling.i), (scaling.o, scores.i),
            (control.o_values, sums.i_values), (softmax.o, sums.i_weights), (normaliser.o, outputs.i),
        ):
            connect(m, source, sink)

        fields = control.fields
        m.d.comb += [
            control.position.eq(self.position), self.retired.eq(control.retired),
            self.exponent.eq(outputs.exponent),
            requests.start.eq(control.begin_reads), requests.tokens.eq(control.tokens),
            *(getattr(requests, name).eq(fields[name]) for name in (
                "rows", "kv_heads", "row_bytes", "head_bytes",
                "key_scales", "value_scales", "keys", "values")),
            *(unit.group_last.eq(control.group_last)
              for unit in (dot, scaling, scores, softmax, sums, normaliser)),
            *(unit.beats_last.eq(control.beats_last) for unit in (dot, sums)),
            *(unit.tokens.eq(control.tokens) for unit in (key_scales, value_scales)),

            # keys
            *(unit.start.eq(control.begin_keys) for unit in (key_scales, value_scales, scaling, scores)),
            queries.row.eq(control.row), queries.head.eq(control.first_head + dot.head),
            queries.chunk.eq(dot.chunk), dot.queries.eq(queries.word),
            queries.scale_row.eq(control.row), queries.scale_head.eq(control.first_head + scaling.head),
            scaling.query_scale.eq(queries.scale), scaling.score_constant.eq(fields.score_constant),
            key_scales.token.eq(scaling.token), scaling.key_scale.eq(key_scales.word),
            control.scores_complete.eq(scores.complete),

            # values
            *(unit.start.eq(control.begin_values) for unit in (softmax, sums)),
            softmax.count.eq(scores.count), softmax.largest.eq(value_scales.largest),
            scores.enable.eq(softmax.enable), scores.address.eq(softmax.address),
            softmax.score.eq(scores.score),
            scores.maximum_head.eq(softmax.maximum_head), softmax.maximum.eq(scores.maximum),
            value_scales.enable.eq(softmax.enable), value_scales.token.eq(softmax.token),
            softmax.value_scale.eq(value_scales.word),

            # results
            normaliser.start.eq(sums.done), normaliser.dim.eq(fields.dim),
            softmax.total_head.eq(normaliser.head), normaliser.total.eq(softmax.total),
            sums.head.eq(normaliser.head), sums.chunk.eq(normaliser.chunk), normaliser.sums.eq(sums.sums),
            control.normalised.eq(normaliser.done),
            outputs.row_start.eq(control.begin_values & (control.group == 0)),
            outputs.write_row.eq(control.row),
            outputs.i_exponent.valid.eq(control.begin_values),
            outputs.i_exponent.p.row.eq(control.row), outputs.i_exponent.p.group.eq(control.group),
            outputs.i_exponent.p.exponent.eq(
                value_scales.largest + (P_FRACTION - (MANTISSA_BITS - 1) - output_fraction(build.kv_bits))),
        ]
        return m
