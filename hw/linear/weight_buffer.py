"""Weight buffer: elastic storage of the array's steps, ahead of their use, which can give a tile again."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.command import field_shapes
from hw.memory.ram_style import ULTRA_BUFFER_STEPS, ram_attributes
from models.machine.descriptor import Opcode

__all__ = ["TILE_PLAN", "WeightBuffer"]

TILE_PLAN = data.StructLayout(field_shapes(Opcode.MATMUL, "outputs", "tiles", "batches"))
"""How a matrix is used: each of `tiles` runs of `outputs` outputs is given `batches` times over."""


class WeightBuffer(wiring.Component):
    """`depth` steps of `width` bits, each for `outputs_per_step` outputs, given in the order of a plan.

    `plan`: the next matrix' use, all fields at least 1, outputs a multiple of outputs_per_step. Its tiles are given
    one after another, each `batches` times. The next plan is taken when the last step of this one was. A tile that is
    given again keeps its place until its last time: with several batches, plan.outputs <= depth * outputs_per_step.

    `i`: a step, taken at once. Whoever fills keeps count of the room, which is `depth` steps; `freed` pulses when one
    more has left for good. `available`: there is a step to be given, by the cycle after it came. `take`, while
    `available`: it is on `o` READ_LATENCY cycles later, through the memory's output register and one more, as UltraRAM
    needs at full clock. 1 step a cycle in and out, also from a tile's end back to its beginning. Nothing holds up what
    was taken, so that no enable reaches a step's registers. Source: TeLLMe v2, URAM weight buffer. That a step and not
    a beat is a word lets the array, which is wider than the ports, go through a tile again at its own pace.
    """

    READ_LATENCY = 2

    def __init__(self, width: int, depth: int, outputs_per_step: int) -> None:
        if depth < 16 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two from 16, got {depth}")
        self._width, self._depth, self._outputs = width, depth, outputs_per_step
        super().__init__({
            "i": In(wiring.Signature({"valid": Out(1), "payload": Out(width)})),
            "freed": Out(1),
            "plan": In(stream.Signature(TILE_PLAN)),
            "available": Out(1),
            "take": In(1),
            "o": Out(width),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=self._width, depth=self._depth, init=[],
                                                attrs=ram_attributes(self._depth, platform, ULTRA_BUFFER_STEPS))
        write, read = storage.write_port(), storage.read_port()
        address_bits = exact_log2(self._depth)

        plan = Signal(TILE_PLAN, reset_less=True)
        address, tile_start, tail = Signal(address_bits), Signal(address_bits), Signal(address_bits)
        left = Signal(TILE_PLAN["outputs"].shape, reset_less=True)  # of the tile, this time
        again = Signal(TILE_PLAN["batches"].shape, reset_less=True)  # times it is still to be given
        fresh, freeing = Signal(), Signal()  # a tile's first and last time
        ahead = Signal(range(self._depth + 1))  # steps that were never read
        next_address = Signal(address_bits)
        output = Signal(self._width, reset_less=True)
        m.d.sync += output.eq(read.data)
        m.d.comb += [
            read.en.eq(1), read.addr.eq(address), self.o.eq(output),
            next_address.eq(address + 1), freeing.eq(again == 1),
            write.en.eq(self.i.valid), write.addr.eq(tail), write.data.eq(self.i.payload),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.plan.ready.eq(1)
                m.d.sync += [plan.eq(self.plan.payload), left.eq(self.plan.p.outputs), again.eq(self.plan.p.batches),
                             fresh.eq(1), tile_start.eq(address)]
                with m.If(self.plan.valid):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.available.eq(~fresh | (ahead != 0))
                with m.If(self.take):
                    m.d.sync += [left.eq(left - self._outputs), address.eq(next_address)]
                    with m.If(left == self._outputs):
                        m.d.sync += left.eq(plan.outputs)
                        with m.If(freeing):
                            m.d.sync += [again.eq(plan.batches), fresh.eq(1), tile_start.eq(next_address),
                                         plan.tiles.eq(plan.tiles - 1)]
                            with m.If(plan.tiles == 1):
                                m.next = "IDLE"
                        with m.Else():
                            m.d.sync += [again.eq(again - 1), fresh.eq(0), address.eq(tile_start)]

        m.d.sync += [tail.eq(tail + self.i.valid), ahead.eq(ahead + self.i.valid - (self.take & fresh)),
                     self.freed.eq(self.take & freeing)]
        return m
