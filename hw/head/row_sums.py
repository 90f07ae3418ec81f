"""Row sums: from the weight stream to the dot products of vocabulary rows, each with its id and scale."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.head.dot import ACTIVATION_BITS, HeadDot
from hw.head.row_walk import ROW_TAG, RowWalk
from hw.linear.activations import ActivationMemory, activation_layout
from hw.memory.shapes import ID_BITS, LISTED_ROW
from hw.stream.kept import KEPT
from hw.stream.queue import Queue
from models.machine.build import BuildParameters

__all__ = ["RowSums"]

_SHARES = 2  # of a row's activations
_RESULTS = 16  # vocabulary rows between the first beat and their logits


class RowSums(wiring.Component):
    """For each vocabulary row of a LOGITS command, in the order of the stream: its tag and its sum per activation row.

    `start` (while `done`): `vocab` rows of `count` channels follow on `i_weights`, or listed ones (`hw.head.row_walk`,
    which says what the other ports are). `vocab`, `count` and `listed` hold still from then on. `i_activations`: int16
    elements, always ready, complete before `start`; they stay until overwritten.

    o: {tag: ROW_TAG, sums: signed(sum_bits) per activation row}. One beat a cycle. A row has its place here from its
    first beat on, so that the dot products need not stop: backpressure keeps rows from beginning, behind 16 of them.
    """

    def __init__(self, build: BuildParameters) -> None:
        lanes = build.beat_bytes
        self._walk = RowWalk(build)
        self._activations = [[ActivationMemory(ACTIVATION_BITS, lanes // _SHARES, -(-build.hidden_max // lanes), 1,
                                                lanes=build.lanes)
                              for _ in range(_SHARES)] for _ in range(build.head_rows)]
        self._share_bits = exact_log2(lanes // _SHARES)
        self._dot = HeadDot(lanes, build.head_rows, build.hidden_max)
        self.sum_bits = self._dot.sum_bits
        super().__init__({
            "start": In(1),
            "vocab": In(ID_BITS),
            "count": In(16),
            "listed": In(1),
            "i_weights": In(stream.Signature(build.beat_bytes * 8)),
            "i_rows": In(stream.Signature(LISTED_ROW)),
            "i_activations": In(stream.Signature(activation_layout(ACTIVATION_BITS, build.lanes))),
            "o": Out(stream.Signature(data.StructLayout({"tag": ROW_TAG, "sums": self._dot.sums.shape()}))),
            "done": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.walk = walk = self._walk
        m.submodules.dot = dot = self._dot
        m.submodules.tags = tags = Queue(ROW_TAG, _RESULTS)
        m.submodules.sums = sums = Queue(dot.sums.shape(), _RESULTS)
        connect(m, flipped(self.i_weights), walk.i)
        connect(m, flipped(self.i_rows), walk.rows)

        # shares of a row's lanes, each read at its own copy of the place: an address has loads in every LUT RAM
        m.d.comb += self.i_activations.ready.eq(1)
        given, low = self.i_activations.p, self._share_bits
        of_share = given.index[low:low + exact_log2(_SHARES)]
        for row, shares in enumerate(self._activations):
            for share, activations in enumerate(shares):
                m.submodules[f"activations_{row}_{share}"] = activations
                word = Signal(walk.word.shape(), name=f"word_{row}_{share}", reset_less=True, attrs=KEPT)
                m.d.sync += word.eq(walk.next_word)
                m.d.comb += [
                    activations.i.valid.eq(self.i_activations.valid & (given.row == row) & (of_share == share)),
                    activations.i.p.index.eq(Cat(given.index[:low], given.index[low + exact_log2(_SHARES):])),
                    Value.cast(activations.i.p["values"]).eq(Value.cast(given["values"])),
                    activations.address.eq(word),
                ]
            m.d.comb += Value.cast(dot.activations[row]).eq(Cat(Value.cast(share.words) for share in shares))

        begun, taken = Signal(range(_RESULTS + 1)), Signal()
        m.d.comb += [
            walk.start.eq(self.start), walk.vocab.eq(self.vocab), walk.count.eq(self.count),
            walk.listed.eq(self.listed), walk.room.eq(begun != _RESULTS), self.done.eq(walk.done),
            dot.valid.eq(walk.take), dot.first.eq(walk.first), dot.last.eq(walk.last),
            dot.weights.eq(walk.i.payload),
            tags.i.valid.eq(walk.row.valid), tags.i.p.eq(walk.row.tag),
            sums.i.valid.eq(dot.o_valid), sums.i.p.eq(dot.sums),
            # a row's tag is there before its sums
            self.o.valid.eq(sums.o.valid), self.o.p.tag.eq(tags.o.p), self.o.p.sums.eq(sums.o.p),
            taken.eq(self.o.valid & self.o.ready), tags.o.ready.eq(taken), sums.o.ready.eq(taken),
        ]
        m.d.sync += begun.eq(begun + (walk.take & walk.first) - taken)
        return m
