"""Softmax numerators, their sums, and the weights that multiply the values."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import shift_sticky
from hw.arith.scalar import from_word
from hw.attention.exp2_negative import Exp2Negative
from hw.attention.jobs import JOB, pair_row, pairs_last
from hw.attention.score_memory import ScoreMemory, token_scores
from hw.attention.score_scale import SCORE_BITS
from hw.stream.pipeline import Pipeline
from models.machine.scalar_format import MANTISSA_BITS
from models.machine.tables import P_FRACTION

__all__ = ["WEIGHT_BITS", "Softmax", "softmax_lanes", "softmax_totals", "softmax_weights"]

WEIGHT_BITS = MANTISSA_BITS
_DISTANCE_MAX = 24  # a weight is below 2**(24 - distance): from 25 on it rounds to zero


def softmax_lanes(pairs: int) -> int:
    """Pairs that the softmax takes a cycle."""
    return min(2, pairs)


def softmax_weights(pairs: int, context_max: int) -> data.StructLayout:
    """Weights of a token with pair lanes * step and the others of that step."""
    return data.StructLayout({"token": range(context_max), "step": 1, "bank": 1, "last": 1,
                              "weights": data.ArrayLayout(WEIGHT_BITS, softmax_lanes(pairs))})


def softmax_totals(pairs: int, context_max: int) -> data.StructLayout:
    """The sums of a job's numerators and its largest value exponents, by pair."""
    return data.StructLayout({"job": JOB, "largest": data.ArrayLayout(signed(8), pairs),
                              "totals": data.ArrayLayout(P_FRACTION + 1 + ceil_log2(context_max), pairs)})


class Softmax(wiring.Component):
    """From a job's scores to weights w = round(p * m / 2**(20 + top - e)), p = exp2_negative(max - score).

    A job is taken when the one before is out; its pass begins once `complete` has pulsed for it, a pulse a job
    (`ScoreMemory`, which answers `address` after READ_LATENCY cycles with `word`). Two pairs a cycle: a token a cycle
    for jobs of up to two pairs, every other cycle for larger ones. Weights come on `o`, always taken, in order of the
    tokens; a pair's tokens that it does not attend to have weight 0, and so have those that fill the last
    beat of `parts` tokens. `ready` pulses with the last. Then `o_totals` offers the sums of p.

    `token`: that of the scores read next; `read` pulses with the last reading. Banks alternate from 0 on.
    Golden: `p`, `w` and `p.sum()` of `attention`, docs/numerics.md §7.

    Widths: delta unsigned(32), p unsigned(21), p * m unsigned(45), weights unsigned(24), sums
    unsigned(21 + log2 context_max). Cycles: tokens times one or two, LATENCY, and four to six between jobs.
    """

    LATENCY = ScoreMemory.READ_LATENCY + 2 + Exp2Negative.LATENCY + PRODUCT_STEPS + 4

    def __init__(self, *, pairs: int, context_max: int, parts: int) -> None:
        self._pairs, self._parts, self._lanes = pairs, parts, softmax_lanes(pairs)
        super().__init__({
            "i": In(stream.Signature(JOB)),
            "complete": In(1),
            "address": Out(range(context_max)),
            "word": In(token_scores(pairs)),
            "maximum": In(data.ArrayLayout(signed(SCORE_BITS), pairs)),
            "largest": In(data.ArrayLayout(signed(8), pairs)),
            "token": Out(range(context_max + 1)),
            "read": Out(1),
            "o": Out(stream.Signature(softmax_weights(pairs, context_max))),
            "ready": Out(1),
            "o_totals": Out(stream.Signature(softmax_totals(pairs, context_max))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        totals = self.o_totals.p
        job, attended = totals.job, data.View(data.ArrayLayout(self.token.shape(), self._pairs), Signal(
            len(self.token) * self._pairs, name="attended", reset_less=True))
        complete, begin, running = Signal(), Signal(), Signal()
        last_token, two_steps = Signal.like(self.token, reset_less=True), Signal(reset_less=True)
        last, before_last = Signal(reset_less=True), Signal.like(last_token)  # the token is the last; that before it
        step, bank = Signal(), Signal()
        token_ends = step | ~two_steps
        pass_ends = token_ends & last
        m.d.sync += complete.eq((complete | self.complete) & ~begin)
        m.d.comb += self.address.eq(self.token)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += job.eq(self.i.p)
                with m.If(self.i.valid):
                    m.next = "SHAPE"
            with m.State("SHAPE"):
                m.d.sync += [
                    last_token.eq((job.tokens + job.rows_last - 1) | (self._parts - 1)),
                    two_steps.eq(pairs_last(job) >= self._lanes),
                    *(attended[pair].eq(job.tokens + pair_row(job, pair)) for pair in range(self._pairs)),
                ]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [before_last.eq(last_token - 1), last.eq(last_token == 0)]
                with m.If(complete):
                    m.d.comb += begin.eq(1)
                    m.d.sync += totals.largest.eq(self.largest)
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += running.eq(1)
                m.d.sync += step.eq(~token_ends)
                with m.If(token_ends):
                    m.d.sync += [self.token.eq(self.token + 1), last.eq(self.token == before_last)]
                with m.If(pass_ends):
                    m.d.comb += self.read.eq(1)
                    m.d.sync += self.token.eq(0)
                    m.next = "REST"
            with m.State("REST"):
                m.d.comb += self.ready.eq(self.o.valid & self.o.p.last)
                with m.If(self.ready):
                    m.next = "TOTALS"
            with m.State("TOTALS"):
                m.d.comb += self.o_totals.valid.eq(1)
                with m.If(self.o_totals.ready):
                    m.d.sync += bank.eq(~bank)
                    m.next = "IDLE"
        for lane in range(self._lanes):
            self._lane(m, platform, lane, running, step, bank, pass_ends, attended)
        return m

    def _lane(self, m: Module, platform, lane: int, running, step, bank, pass_ends, attended) -> None:
        """Pairs `lane` and lanes + lane. Lanes move in step: lane 0 carries what belongs to the token."""
        totals = self.o_totals.p
        place = data.StructLayout({"token": self.o.p.token.shape(), "bank": 1, "last": 1} if lane == 0 else {})
        factor = data.StructLayout({"m": unsigned(MANTISSA_BITS), "shift": 5, "vanishes": 1, "hidden": 1,
                                    "step": 1, "first": 1, "place": place})
        m.submodules[f"exp2_{lane}"] = exp2 = Exp2Negative(factor)
        issue = stream.Signature(0).create(path=(f"issue_{lane}",))
        m.d.comb += issue.valid.eq(running)

        def of_step(values: list[Value], step: Value) -> Value:
            return Array(values[lane::self._lanes])[step]

        at = Signal(place, name=f"place_{lane}")
        if lane == 0:
            m.d.comb += [at.token.eq(self.token), at.bank.eq(bank), at.last.eq(pass_ends)]
        pairs = range(self._pairs)
        p = Pipeline(m, issue, exp2.i)
        hidden = self.token >= of_step([attended[pair] for pair in pairs], step)
        carried = p.step(hidden, step, self.token == 0, at)
        carried = p.step(*carried)  # READ_LATENCY
        hidden, step, first, at = carried
        mantissa, exponent = from_word(self.word.value_scale)
        score, maximum, distance, mantissa, *carried = p.step(
            of_step([self.word.scores[pair] for pair in pairs], step),
            of_step([self.maximum[pair] for pair in pairs], step),
            of_step([totals.largest[pair] for pair in pairs], step) - exponent, mantissa, *carried)
        delta, mantissa, shift, vanishes, *carried = p.step(
            (maximum - score)[:SCORE_BITS], mantissa, distance[:5], distance > _DISTANCE_MAX, *carried)
        hidden, step, first, at = carried
        user = Signal(factor, name=f"factor_{lane}")
        m.d.comb += [user.m.eq(mantissa), user.shift.eq(shift), user.vanishes.eq(vanishes | hidden), user.step.eq(step),
                     user.hidden.eq(hidden), user.first.eq(first), user.place.eq(at)]
        p.finish(delta=delta, user=user)

        numerator, user = exp2.o.p.p, exp2.o.p.user
        with m.If(exp2.o.valid):
            for number in range(self._pairs // self._lanes):
                total = totals.totals[self._lanes * number + lane]
                with m.If(user.step == number):
                    m.d.sync += total.eq(Mux(user.first, 0, total) + Mux(user.hidden, 0, numerator))
        self._weights(m, platform, lane, exp2.o, place)

    def _weights(self, m: Module, platform, lane: int, numerators, place) -> None:
        user = numerators.p.user
        result = stream.Signature(data.StructLayout({"weight": WEIGHT_BITS, "step": 1, "place": place})).create(
            path=(f"weight_{lane}",))
        p = Pipeline(m, numerators, result, platform)
        product, shift, vanishes, step, at = product_steps(
            p, user.m, numerators.p.p, user.shift, user.vanishes, user.step, user.place)
        # one guard bit below the unit; the product is below 2**(P_FRACTION + MANTISSA_BITS)
        low = P_FRACTION - 1
        shifted, sticky, shift, vanishes, step, at = p.step(
            product[low:P_FRACTION + MANTISSA_BITS], product[:low].any(), shift, vanishes, step, at)
        shifted, sticky = shift_sticky(shifted, sticky, shift[3:], unit=8)
        shifted, sticky = shift_sticky(shifted, sticky, shift[2:3], unit=4)
        shifted, sticky, shift, vanishes, step, at = p.step(shifted, sticky, shift[:2], vanishes, step, at)
        shifted, sticky = shift_sticky(shifted, sticky, shift)
        quotient, up, vanishes, step, at = p.step(shifted[1:], shifted[0] & (sticky | shifted[1]), vanishes, step, at)
        weight, step, at = p.step(Mux(vanishes, 0, (quotient + up)[:WEIGHT_BITS]), step, at)
        p.finish(weight=weight, step=step, place=at)
        m.d.comb += [result.ready.eq(1), self.o.p.weights[lane].eq(result.p.weight)]
        if lane == 0:
            m.d.comb += [self.o.valid.eq(result.valid), self.o.p.step.eq(result.p.step),
                         *(self.o.p[name].eq(result.p.place[name]) for name in ("token", "bank", "last"))]
