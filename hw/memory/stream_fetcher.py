"""Stream fetcher: the FETCH engine, which brings weight and head streams into the weight buffer."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS, command_layout
from hw.memory.shapes import BURST, BURST_BYTES
from models.machine.build import BURST_BEATS
from models.machine.descriptor import Opcode

__all__ = ["StreamFetcher"]


class StreamFetcher(wiring.Component):
    """Turn STREAM commands into full bursts, one sequence a port.

    STREAM: `beats` wide beats from `address` on, striped over the ports as by
    `models.machine.layout.stripe`: of group g of 16 beats, port p reads the 256 bytes at
    address + 256 (ports g + p). The address is a multiple of 256 and beats one of 16; lower bits are ignored.

    Each port runs ahead of the others as far as its part of the weight buffer (`depth` beats, of which
    `taken` gives back one at a time) has room for whole bursts, one burst every other cycle. `retired`
    pulses when the last burst is handed to the read masters: the next stream follows while the beats are
    still on their way, and whoever uses the beats waits for them at the buffer.
    """

    def __init__(self, ports: int, depth: int) -> None:
        if not 1 <= ports <= 4:
            raise ValueError(f"ports must be 1 to 4, got {ports}")
        if depth < BURST_BEATS:
            raise ValueError(f"depth must be at least a burst of {BURST_BEATS}, got {depth}")
        self._ports, self._depth = ports, depth
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "bursts": Out(stream.Signature(BURST)).array(ports),
            "taken": In(ports),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        block_bits = (BURST_BYTES - 1).bit_length()
        command = data.View(command_layout(Opcode.STREAM), self.command.payload)
        first = command.address[block_bits:]
        groups = command.beats[(BURST_BEATS - 1).bit_length():]

        start, active = Signal(), Signal(self._ports)
        for port, burst in enumerate(self.bursts):
            block = Signal(first.shape(), name=f"block_{port}")
            remaining = Signal(groups.shape(), name=f"remaining_{port}")
            room = Signal(range(self._depth + 1), init=self._depth, name=f"room_{port}")
            reserve = Signal(name=f"reserve_{port}")

            m.d.comb += burst.payload.length.eq(BURST_BEATS - 1)
            with m.If(burst.valid & burst.ready):
                m.d.sync += [burst.valid.eq(0), active[port].eq(remaining != 0)]
            with m.If(start):
                m.d.sync += [block.eq(first + port), remaining.eq(groups), active[port].eq(groups != 0)]
            with m.Elif((remaining != 0) & ~burst.valid & (room >= BURST_BEATS)):
                m.d.comb += reserve.eq(1)
                m.d.sync += [
                    burst.valid.eq(1),
                    burst.payload.address.eq(Cat(Const(0, block_bits), block)),
                    block.eq(block + self._ports),
                    remaining.eq(remaining - 1),
                ]
            m.d.sync += room.eq(room - Mux(reserve, BURST_BEATS, 0) + self.taken[port])

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.command.ready.eq(1), start.eq(self.command.valid)]
                with m.If(self.command.valid):
                    m.next = "RUN"
            with m.State("RUN"):
                with m.If(~active.any()):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
