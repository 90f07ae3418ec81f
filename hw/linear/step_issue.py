"""Decides in which cycle a step of the look-up array starts, and where its sums go."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.command import field_shapes
from hw.linear.accumulator import REUSE_DISTANCE
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["StepIssue"]


class StepIssue(wiring.Component):
    """Walks the steps of one command: for each of `tiles` tiles and `batches` batches, `outputs` / Q words.

    Those of batch b are build.batch_words * b + `base` and on. Steps of the last `padding` outputs are taken but
    not added to any word.

    `start` (while `done`) takes the command. A step is taken (`take`, also `step.valid`) when it is `available`,
    its tables are ready, and its word is not under way: in a command of fewer than REUSE_DISTANCE words, a tile
    starts REUSE_DISTANCE cycles after the one before has ended.
    `release` goes with the last step of a tile and batch. `done` is high when no step is left.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        fields = field_shapes(Opcode.MATMUL, "tiles", "batches", "outputs", "padding", "accumulator")
        step = data.StructLayout({"valid": 1, "word": range(build.accumulator_words), "overwrite": 1})
        super().__init__({
            "start": In(1),
            **{name: In(fields[name]) for name in ("tiles", "batches", "outputs", "padding")},
            "base": In(fields["accumulator"]),
            "first_batch": In(range(build.row_batches)),
            "done": Out(1),
            "available": In(1),
            "tables_ready": In(1),
            "take": Out(1),
            "step": Out(step),
            "release": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        outputs_per_step = self._build.outputs_per_step
        active = Signal()
        tiles = Signal.like(self.tiles, reset_less=True, name="tiles_left")
        outputs, left = (Signal.like(self.outputs, reset_less=True, name=name) for name in ("outputs", "left"))
        base, word = (Signal(range(self._build.batch_words), reset_less=True, name=n) for n in ("base", "word"))
        batch = Signal(range(self._build.row_batches))
        first_batch, final = (Signal.like(batch, reset_less=True, name=name) for name in ("first_batch", "final"))
        padding = Signal.like(self.padding, reset_less=True, name="padding")
        first_tile, tile_start, short = Signal(), Signal(), Signal()
        cooling = Signal(range(REUSE_DISTANCE))  # cycles until a short command's next tile may start

        last, last_batch = Signal(), Signal()
        m.d.comb += [
            self.done.eq(~active),
            self.take.eq(active & self.available & self.tables_ready
                         & ~(short & tile_start & (cooling != 0))),
            last.eq(left == outputs_per_step), last_batch.eq(batch == final),
            self.step.valid.eq(self.take & (left > padding)), self.step.word.eq(Cat(word, batch)),
            self.step.overwrite.eq(first_tile),
            self.release.eq(self.take & last),
        ]
        with m.If(cooling != 0):
            m.d.sync += cooling.eq(cooling - 1)
        with m.If(self.take):
            m.d.sync += [
                word.eq(Mux(last, base, word + 1)), left.eq(Mux(last, outputs, left - outputs_per_step)),
                tile_start.eq(last), cooling.eq(REUSE_DISTANCE - 1),
            ]
            with m.If(last):
                m.d.sync += batch.eq(batch + 1)
                with m.If(last_batch):
                    m.d.sync += [batch.eq(first_batch), first_tile.eq(0), tiles.eq(tiles - 1), active.eq(tiles != 1)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1), tiles.eq(self.tiles), batch.eq(self.first_batch), first_batch.eq(self.first_batch),
                final.eq(self.first_batch + self.batches - 1),
                outputs.eq(self.outputs), left.eq(self.outputs), padding.eq(self.padding),
                base.eq(self.base), word.eq(self.base), first_tile.eq(1), tile_start.eq(1), cooling.eq(0),
                short.eq(self.outputs < REUSE_DISTANCE * outputs_per_step),
            ]
        return m
