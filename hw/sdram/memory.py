"""SDRAM memory: AXI4 ports before an SDR SDRAM chip."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from hw.memory.axi import Axi4
from hw.sdram.data_path import COMMAND_CYCLES, DataPath
from hw.sdram.job_choice import JobChoice
from hw.sdram.pins import COMMAND, Command, SdramPins
from hw.sdram.read_port import ReadPort
from hw.sdram.scheduler import Scheduler
from hw.sdram.timing import SdramTiming
from hw.sdram.write_port import WritePort

__all__ = ["SdramMemory"]


class SdramMemory(wiring.Component):
    """Serve `masters` AXI4 masters of 128 bits from an SDRAM chip of 32 MB, whose first byte has address 0.

    Bursts are INCR of up to 16 full beats within 256 bytes. One outside the memory, or of another kind, is answered
    with DECERR; it writes nothing, and what it reads has no meaning. IDs come back in the order of the addresses, reads
    and writes apart. A write is answered when its data have gone to the chip.

    data_cycles: from the cycle in which READ is on the pins to the one whose end takes its first word from `dq_i`; by
    default the CAS latency, as where chip and controller have the same clock edge. `ready`: the chip is initialised.
    """

    def __init__(self, timing: SdramTiming, masters: int, clock_mhz: float, *, data_cycles: int | None = None) -> None:
        if not 1 <= masters <= 4:
            raise ValueError(f"masters must be 1 to 4, got {masters}")
        self._cycles, self._masters = timing.cycles(clock_mhz), masters
        self._data_cycles = self._cycles.cas if data_cycles is None else data_cycles
        if not 1 <= self._data_cycles <= 6:
            raise ValueError(f"data_cycles must be 1 to 6, got {data_cycles}")
        self._refreshes = timing.refreshes
        super().__init__({
            "axi": In(Axi4()).array(masters),
            "pins": Out(SdramPins()),
            "ready": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.choice = choice = JobChoice(2 * self._masters)
        m.submodules.scheduler = scheduler = Scheduler(self._cycles, self._data_cycles, self._refreshes)
        m.submodules.data = data = DataPath(self._masters, self._data_cycles)
        connect(m, choice.o, scheduler.i)
        m.d.comb += [
            data.given.eq(scheduler.given), data.writes.eq(scheduler.writes), data.master.eq(scheduler.master),
            data.last.eq(scheduler.last), data.masked.eq(~scheduler.ready),
            self.ready.eq(scheduler.ready),
            self.pins.dq_o.eq(data.dq_o), self.pins.dq_oe.eq(data.dq_oe), self.pins.dqm.eq(data.dqm),
            data.dq_i.eq(self.pins.dq_i),
        ]
        for number, axi in enumerate(self.axi):
            m.submodules[f"read_{number}"] = reads = ReadPort(number)
            m.submodules[f"write_{number}"] = writes = WritePort(number)
            for port in (reads, writes):
                for name, member in port.axi.signature.members.items():
                    inner, outer = getattr(port.axi, name), getattr(axi, name)
                    m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
            connect(m, reads.jobs, choice.i[2 * number])
            connect(m, writes.jobs, choice.i[2 * number + 1])
            m.d.comb += [
                reads.word.eq(data.word), reads.arrives.eq(data.arrives[number]), reads.first.eq(data.first),
                writes.take.eq(data.take[number]), writes.written.eq(data.written[number]),
                data.words[number].eq(writes.word), data.strobes[number].eq(writes.strobes),
            ]
        self._drive(m, scheduler.command)
        return m

    def _drive(self, m: Module, command) -> None:
        """The command to the pins, as late as its data."""
        pins = self.pins
        for _ in range(COMMAND_CYCLES - 2):
            later = Signal(COMMAND, init={"code": Command.NOP}, name="command_later")
            m.d.sync += later.eq(command)
            command = later
        m.d.sync += [pins.cke.eq(1), pins.cs_n.eq(0), Cat(pins.we_n, pins.cas_n, pins.ras_n).eq(command.code),
                     pins.ba.eq(command.bank), pins.a.eq(command.address)]
