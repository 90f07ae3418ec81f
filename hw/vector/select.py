"""The choice of a shortlist: a row's sums to scores, and the best of them to its list."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arith.multiply_add import registered_product
from hw.command import field_shapes
from hw.linear.reader import sum_word
from hw.memory.shapes import ID_BITS, LIST_PLACE
from hw.vector.best_list import SCORE_BITS, BestList
from hw.vector.channel_memories import channel_read, gain_word
from models.machine.descriptor import Opcode

__all__ = ["SELECT_SETTINGS", "Select"]

SELECT_SETTINGS = data.StructLayout({"row": 8, **field_shapes(Opcode.SELECT, "count", "first_id", "k", "begin")})


class Select(wiring.Component):
    """Offers id first_id + n, n < count, with score sum n x gain n, to the list of `row`; `lanes` of them a cycle.

    Contract: golden `shortlist` (docs/numerics.md §10), over the commands from one with `begin` on, their ids
    ascending. `settings` hold still from the cycle before `start` on until `done`, which pulses when the last entry is
    in its place. The sums come on `i`, what is behind `count` in the last word without effect; gains are read through
    `gain`, whose registers stand still while `hold`. `read` -> `o`: ids of the lists (`BestList`).

    Widths: sums signed(24), gains signed(16), scores signed(40), exact.
    A word whose scores are no larger than the list's last entry passes in a cycle. Of another one each lane that is
    larger, as it stands then, takes the list's time, and the words behind it wait. Of V random scores about
    k (1 + ln(V / k)) enter and move k / 2 entries each.
    """

    def __init__(self, rows: int, lanes: int) -> None:
        self._lanes, self._list = lanes, BestList(rows)
        super().__init__({
            "settings": In(SELECT_SETTINGS),
            "start": In(1),
            "done": Out(1),
            "i": In(stream.Signature(sum_word(lanes))),
            "gain": Out(channel_read(gain_word(lanes))),
            "hold": Out(1),
            "read": In(stream.Signature(LIST_PLACE)),
            "o": Out(stream.Signature(ID_BITS)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        settings, width = self.settings, self._lanes
        m.submodules.list = best = self._list
        connect(m, flipped(self.read), best.read)
        connect(m, best.o, flipped(self.o))

        # a step is taken together by all that is under way: sums and gains, products, scores
        sums, scores = (Signal(shape, reset_less=True, name=name) for shape, name in (
            (self.i.p["values"].shape(), "sums"), (data.ArrayLayout(signed(SCORE_BITS), width), "scores")))
        number = Signal(self.gain.index.shape())  # of the word whose gains are asked for: one more than has come
        priming, taking, draining = Signal(), Signal(), Signal()
        last = Signal(3)  # the row's last word is there, of each stage
        valid = Signal(2)
        first, id = Signal(), Signal(ID_BITS, reset_less=True)  # of the word of scores
        pending = Signal(width)  # lanes of it to be offered
        step, above, lanes = Signal(), Signal(width), Signal(width)
        products = [registered_product(m, platform, sums[n], self.gain.word[n], enable=step) for n in range(width)]
        m.d.comb += [
            step.eq(~pending.any()),
            self.i.ready.eq(taking & step),
            self.gain.index.eq(number),
            self.hold.eq((taking | draining) & ~(self.i.valid & self.i.ready)),
            *(above[n].eq(products[n] > best.smallest) for n in range(width)),
            lanes.eq(-1),
        ]
        behind = settings.count[:exact_log2(width)]
        with m.If(last[1] & (behind != 0)):
            m.d.comb += lanes.eq((Const(1, width) << behind) - 1)
        with m.If(priming | (self.i.valid & self.i.ready)):
            m.d.sync += [number.eq(number + 1), sums.eq(self.i.p.values)]
        with m.If(step):
            m.d.sync += [
                valid.eq(Cat(self.i.valid & self.i.ready, valid)),
                last.eq(Cat(self.i.valid & self.i.ready & self.i.p.last, last)),
                pending.eq(Mux(valid[1], above & lanes, 0)),
            ]
            with m.If(valid[1]):  # no others are offered, and half the loads
                m.d.sync += [scores[n].eq(product) for n, product in enumerate(products)]
                m.d.sync += [id.eq(Mux(first, settings.first_id, id + width)), first.eq(0)]

        # the lowest lane that is pending goes first
        lane = Signal(range(width))
        for n in reversed(range(width)):
            with m.If(pending[n]):
                m.d.comb += lane.eq(n)
        m.d.comb += [
            best.k.eq(settings.k), best.open.p.row.eq(settings.row), best.open.p.begin.eq(settings.begin),
            best.i.valid.eq(pending.any()), best.i.p.score.eq(scores[lane]), best.i.p.id.eq(id + lane),
        ]
        with m.If(best.i.ready):
            m.d.sync += pending.eq(Cat(pending[n] & pending[:n].any() for n in range(width)))

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [number.eq(0), first.eq(1)]
                with m.If(self.start):
                    m.next = "OPEN"
            with m.State("OPEN"):
                m.d.comb += [best.open.valid.eq(1), priming.eq(best.open.ready)]
                with m.If(best.open.ready):
                    m.next = "TAKE"
            with m.State("TAKE"):  # the first word's gains are in the memory's register
                m.d.comb += taking.eq(1)
                with m.If(self.i.valid & self.i.ready & self.i.p.last):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += draining.eq(1)
                with m.If(last[2] & step):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m
