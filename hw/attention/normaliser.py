"""Division of the weighted sums by the sum of the softmax numerators."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.rounding import round_shift
from hw.arith.scale_round import ScaleRound
from hw.attention.jobs import pair_head, pair_row, pairs_last
from hw.attention.output_memory import OUTPUT_BITS, output_part
from hw.attention.reciprocals import job_reciprocals
from hw.stream.pipeline import Pipeline
from models.machine.kv_format import kv_format

__all__ = ["Normaliser"]


class Normaliser(wiring.Component):
    """o = scale_round(round(sum / 2**drop), 1 / total, fraction + drop) for the channels of a job, chunk by chunk.

    A job with its reciprocals is taken when the one before is out. Each of its chunks begins when `done` has pulsed
    (`WeightedSum` or `SlicedSum`, which answers `pair` and `step` after READ_LATENCY cycles with `sums`); when the
    chunk's sums are read, `freed` pulses. `sum_lanes` channels, 1 or 2, a cycle, pair by pair; channels past the head's
    size `dim`, a multiple of 8, are left out. `retired` pulses after the last channel of a command's last job. Output,
    `output_part`, is always taken. Golden: `total` and `out` of `attention`; drop and fraction are those of
    `kv_format`.

    Widths: sums signed(sum_bits), rounded to sum_bits - drop + 1 <= 40 bits; outputs signed(26), |o| <= 2**24
    for sums that weights can give.
    """

    def __init__(self, *, pairs: int, kv_bits: int, lanes: int, sum_bits: int, rows: int, channels: int,
                 dim_max: int, sum_lanes: int = 2) -> None:
        self._pairs, self._lanes, self._dim_max, self._sum_lanes = pairs, lanes, dim_max, sum_lanes
        self._drop = kv_format(kv_bits).dropped_bits
        self._fraction = kv_format(kv_bits).output_fraction + self._drop
        self._x_bits = sum_bits - self._drop + 1
        self._user = data.StructLayout({"row": range(rows), "channel": range(channels), "end": 1})
        super().__init__({
            "dim": In(range(dim_max + 1)),
            "i": In(stream.Signature(job_reciprocals(pairs))),
            "done": In(1),
            "freed": Out(1),
            "pair": Out(range(pairs)),
            "step": Out(range(lanes // sum_lanes)),
            "sums": In(data.ArrayLayout(signed(sum_bits), sum_lanes)),
            "o": Out(stream.Signature(output_part(rows, channels, sum_lanes))),
            "retired": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        given = Signal(self.i.p.shape(), reset_less=True)
        job = given.job
        full = Signal()  # a chunk's sums are there
        m.d.sync += full.eq((full | self.done) & ~self.freed)
        last_pair, last_step = Signal(range(self._pairs), reset_less=True), Signal.like(self.step, reset_less=True)
        left = Signal(range(self._dim_max + 1), reset_less=True)  # channels of a head from this chunk on
        running = Signal()
        channel_shape = self._user["channel"].shape
        # of the job's first head, of the chunk in it, of the pair's chunk
        head_base, chunk_base, pair_base = (Signal(channel_shape, name=name, reset_less=True)
                                            for name in ("head_base", "chunk_base", "pair_base"))
        next_pair = Signal.like(self.pair)
        row_of, head_of = Signal(2), Signal(2)
        m.d.comb += next_pair.eq(self.pair + 1)
        for number in range(self._pairs):
            with m.If(self.pair == number):
                m.d.comb += row_of.eq(pair_row(job, number))
            with m.If(next_pair == number):
                m.d.comb += head_of.eq(pair_head(job, number))

        chunk_ends = (self.step == last_step) & (self.pair == last_pair)
        final = left <= self._lanes
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [given.eq(self.i.p), left.eq(self.dim), last_pair.eq(pairs_last(self.i.p.job)),
                             head_base.eq(self.i.p.job.head * self.dim)]
                with m.If(self.i.valid):
                    m.next = "JOB"
            with m.State("JOB"):
                m.d.sync += chunk_base.eq(head_base)
                m.next = "CHUNK"
            with m.State("CHUNK"):
                m.d.sync += [self.pair.eq(0), self.step.eq(0), pair_base.eq(chunk_base),
                             last_step.eq(Mux(final, left - 1, self._lanes - 1) >> (self._sum_lanes - 1).bit_length())]
                with m.If(full):
                    m.next = "SUMS"
            with m.State("SUMS"):
                m.d.comb += running.eq(1)
                m.d.sync += self.step.eq(self.step + 1)
                with m.If(self.step == last_step):
                    m.d.sync += [self.step.eq(0), self.pair.eq(next_pair),
                                 pair_base.eq(Mux(head_of == 0, chunk_base, pair_base + self.dim))]
                with m.If(chunk_ends):
                    m.d.comb += self.freed.eq(1)
                    m.d.sync += [left.eq(left - self._lanes), chunk_base.eq(chunk_base + self._lanes)]
                    m.next = "CHUNK"
                    with m.If(final):
                        m.next = "IDLE"

        user = Signal(self._user)
        m.d.comb += [user.row.eq(job.row + row_of), user.channel.eq(pair_base + self._sum_lanes * self.step),
                     user.end.eq(job.last & final & chunk_ends)]
        for lane in range(self._sum_lanes):
            self._lane(m, lane, running, user, given.reciprocals)
        return m

    def _lane(self, m: Module, lane: int, running, user, reciprocals) -> None:
        """One of the channels read: drop the low bits, scale. Lane 0 carries where they go."""
        rounding = ScaleRound(self._x_bits, OUTPUT_BITS, self._user if lane == 0 else 0)
        m.submodules[f"rounding_{lane}"] = rounding
        issue = stream.Signature(0).create(path=(f"issue_{lane}",))
        m.d.comb += issue.valid.eq(running)
        p = Pipeline(m, issue, rounding.i)
        carried = [user] if lane == 0 else []
        pair, *carried = p.step(self.pair, *carried)
        reciprocal, *carried = p.step(Array(reciprocals)[pair], *carried)  # of this job: the next may come now
        reciprocal, *carried = p.step(reciprocal, *carried)  # WeightedSum.READ_LATENCY
        dropped, reciprocal, *carried = p.step(round_shift(self.sums[lane], self._drop), reciprocal, *carried)
        tag = Signal(rounding.i.p.user.shape(), name=f"tag_{lane}")
        if carried:
            m.d.comb += tag.eq(carried[0])
        p.finish(x=dropped, a=data.View(rounding.i.p.a.shape(), reciprocal), fraction=self._fraction, user=tag)
        o = self.o.p
        m.d.comb += [rounding.o.ready.eq(1), o.x[lane].eq(rounding.o.p.y)]
        if lane == 0:
            m.d.comb += [self.o.valid.eq(rounding.o.valid), o.row.eq(rounding.o.p.user.row),
                         o.channel.eq(rounding.o.p.user.channel)]
            m.d.sync += self.retired.eq(rounding.o.valid & rounding.o.p.user.end)
