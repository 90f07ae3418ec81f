"""Fault report: what the FAULT registers say of the last run that failed."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS
from hw.memory.shapes import MEMORY_FAULT

__all__ = ["FaultReport"]


class FaultReport(wiring.Component):
    """Keep the access that ended a run, and which descriptor was fetched last.

    begin: high for a cycle at a run's start, which forgets the last one's. fetched: the sequencer has a further
    descriptor; counts while `busy`. failing: the run ends with an error in this cycle; where it is the memory's,
    `faulty` is high and `fault` says of what access.

    report, address, descriptor: FAULT, FAULT_ADDRESS (0 for an error response, which has none), FAULT_DESCRIPTOR.
    """

    def __init__(self) -> None:
        super().__init__({
            "begin": In(1),
            "busy": In(1),
            "fetched": In(1),
            "failing": In(1),
            "faulty": In(1),
            "fault": In(MEMORY_FAULT),
            "report": Out(32),
            "address": Out(ADDRESS_BITS),
            "descriptor": Out(32),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        fault, following = self.fault, Signal(32)

        def padded(value: Value, bits: int) -> Value:
            return Cat(value, Const(0, bits))[:bits]

        with m.If(self.begin):
            m.d.sync += [self.report.eq(0), self.address.eq(0), self.descriptor.eq(0), following.eq(0)]
        with m.Else():
            with m.If(self.busy & self.fetched):
                m.d.sync += [self.descriptor.eq(following), following.eq(following + 1)]
            with m.If(self.failing & self.faulty):
                m.d.sync += [
                    self.report.eq(Cat(padded(fault.client, 8), padded(fault.port, 4), fault.write, fault.response)),
                    self.address.eq(Mux(fault.response == 0, fault.address, 0)),
                ]
        return m
