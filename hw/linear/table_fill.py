"""Fills the look-up tables, for every batch of a tile and tile by tile, one bank ahead of their use."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.command import field_shapes
from hw.linear.fill_order import FILL_ORDER
from hw.linear.group_index import ENTRIES, INDEX_BITS
from hw.linear.lookup_table import FILL_CONTROL
from models.machine.build import TRITS_PER_GROUP
from models.machine.descriptor import Opcode

__all__ = ["TableFill"]

_STEP = data.StructLayout({"index": INDEX_BITS, "digit": range(TRITS_PER_GROUP), "negative": 1})


class TableFill(wiring.Component):
    """Control of all tables: loads the tile's activations, fills a bank, hands it over, goes on with the next.

    `start` (while idle): tiles 0 .. `tiles` - 1 follow, each with the activations of `batches` batches from
    `first_batch` on; at least one of both. `address` and `batch` read the activation memory, whose word, one cycle
    later, is the tile's word named by `load` (one-hot, `words` of them).
    `ready`: bank `bank` holds the tile to be used next; `release` (for one cycle, while `ready`) gives it
    back. Its first entry is overwritten four cycles later, not earlier, by `fill`, which the array has a cycle later
    still: reads may be that much behind.

    A fill takes words + 29 cycles and overlaps with the use of the one before.
    """

    def __init__(self, words: int, depth: int, batches: int = 1) -> None:
        if words < 1:
            raise ValueError(f"a tile has at least one word, got {words}")
        self._words = words
        super().__init__({
            "start": In(1),
            **{name: In(shape) for name, shape in field_shapes(Opcode.MATMUL, "tiles", "batches").items()},
            "first_batch": In(range(batches)),
            "address": Out(range(depth)),
            "batch": Out(range(batches)),
            "load": Out(words),
            "fill": Out(FILL_CONTROL),
            "ready": Out(1),
            "bank": Out(1),
            "release": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        steps = Array(_STEP.const(step._asdict()).as_bits() for step in FILL_ORDER)
        step = Signal(_STEP, reset_less=True)
        entry = Signal(range(ENTRIES))
        word = Signal(range(self._words))
        tiles = Signal.like(self.tiles, reset_less=True, name="tiles")
        first_batch, final = (Signal.like(self.batch, reset_less=True, name=n) for n in ("first_batch", "final"))
        tile_start, last_batch = Signal.like(self.address), Signal()
        full = Signal(2)
        bank = Signal()  # the one to be filled
        adding, last = Signal(), Signal()  # an addition is under way in the tables; it is the tile's last

        loading, read = Signal(), Signal(range(self._words))
        m.d.sync += [loading.eq(0), adding.eq(0), last.eq(0), read.eq(word)]
        m.d.comb += [self.load.eq(loading << read), last_batch.eq(self.batch == final)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [self.address.eq(0), self.batch.eq(self.first_batch), tile_start.eq(0), word.eq(0),
                             tiles.eq(self.tiles), first_batch.eq(self.first_batch),
                             final.eq(self.first_batch + self.batches - 1)]
                with m.If(self.start):
                    m.next = "LOAD"

            with m.State("LOAD"):
                m.d.sync += [self.address.eq(self.address + 1), word.eq(word + 1), loading.eq(1), entry.eq(0)]
                with m.If(word == self._words - 1):
                    m.d.sync += word.eq(0)
                    m.next = "WAIT"

            with m.State("WAIT"):
                m.d.comb += self.fill.clear.eq(1)
                with m.If(~full.bit_select(bank, 1)):
                    m.next = "FILL"

            with m.State("FILL"):
                m.d.sync += [entry.eq(entry + 1), adding.eq(1), step.eq(steps[entry])]
                with m.If(entry == ENTRIES - 1):
                    m.d.sync += last.eq(1)
                    with m.If(last_batch):
                        m.d.sync += [self.batch.eq(first_batch), tile_start.eq(self.address), tiles.eq(tiles - 1)]
                    with m.Else():
                        m.d.sync += [self.batch.eq(self.batch + 1), self.address.eq(tile_start)]
                    m.next = "FINISH"

            # the bank that was filled counts as full before another one is waited for
            with m.State("FINISH"):
                with m.If(tiles == 0):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "LOAD"

        writing, written = Signal(), Signal()
        m.d.sync += [writing.eq(adding), written.eq(last), self.fill.index.eq(step.index)]
        m.d.comb += [self.fill.add.eq(adding), self.fill.digit.eq(step.digit), self.fill.negative.eq(step.negative),
                     self.fill.write.eq(writing), self.fill.bank.eq(bank)]

        m.d.comb += self.ready.eq(full.bit_select(self.bank, 1))
        with m.If(self.release):
            m.d.sync += [full.bit_select(self.bank, 1).eq(0), self.bank.eq(~self.bank)]
        with m.If(written):
            m.d.sync += [full.bit_select(bank, 1).eq(1), bank.eq(~bank)]
        return m

