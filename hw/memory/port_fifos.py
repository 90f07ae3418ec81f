"""Port FIFOs: from ports at their own pace to wide beats in step."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import DATA_BITS
from hw.memory.shapes import ARRIVAL
from hw.stream.deep_queue import DeepQueue

__all__ = ["PortFifos"]


class PortFifos(wiring.Component):
    """One FIFO of `depth` beats a port, emptied in step: a wide beat is the ports' beats, port 0 lowest.

    The ports fill their FIFOs each at its own pace. `taken` bit p pulses when port p has room for one more
    beat. Latency 3 cycles, 1 beat a cycle. Whoever fills keeps count of the room: `i` is never held up.
    """

    def __init__(self, ports: int, depth: int) -> None:
        if ports < 1:
            raise ValueError(f"ports must be positive, got {ports}")
        self._lanes = [DeepQueue(DATA_BITS, depth) for _ in range(ports)]
        super().__init__({
            "i": In(ARRIVAL).array(ports),
            "taken": Out(ports),
            "o": Out(stream.Signature(ports * DATA_BITS)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        for port, lane in enumerate(self._lanes):
            m.submodules[f"lane_{port}"] = lane
            m.d.comb += [
                lane.i.valid.eq(self.i[port].valid),
                lane.i.payload.eq(self.i[port].payload),
                lane.o.ready.eq(self.o.valid & self.o.ready),
                self.taken[port].eq(lane.taken),
            ]
        m.d.comb += [
            self.o.valid.eq(Cat(*(lane.o.valid for lane in self._lanes)).all()),
            self.o.payload.eq(Cat(*(lane.o.payload for lane in self._lanes))),
        ]
        return m
