"""Fault collector: of the accesses of all masters that fail, one to be told."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.shapes import MASTER_FAULT, MEMORY_FAULT
from models.machine.registers import Client

__all__ = ["FaultCollector"]


class FaultCollector(wiring.Component):
    """The fault of the first master that has one, a cycle later, with names.

    masters: for each its port, whether it writes, and who its clients are. faulty, fault: what the master says.
    """

    def __init__(self, masters: Sequence[tuple[int, bool, Sequence[Client]]]) -> None:
        if not masters:
            raise ValueError("no masters")
        self._masters = masters
        super().__init__({
            "masters": In(wiring.Signature({"faulty": Out(1), "fault": Out(MASTER_FAULT)})).array(len(masters)),
            "faulty": Out(1),
            "fault": Out(MEMORY_FAULT),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        faulty = 0
        for master, (port, write, clients) in reversed(list(zip(self.masters, self._masters, strict=True))):
            faulty = master.faulty | faulty
            with m.If(master.faulty):
                m.d.sync += [
                    self.fault.client.eq(Array(clients)[master.fault.client]),
                    self.fault.port.eq(port),
                    self.fault.write.eq(write),
                    self.fault.response.eq(master.fault.response),
                    self.fault.address.eq(master.fault.address),
                ]
        m.d.sync += self.faulty.eq(faulty)
        return m
