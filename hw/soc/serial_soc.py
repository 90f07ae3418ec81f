"""The whole system of a board without a processor: core, serial link and SDRAM, on one clock."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from hw.boards.board import Board
from hw.core import Core
from hw.link.serial_link import SerialLink
from hw.memory.axi import Axi4, Axi4Lite, connect_flat, connect_master, flat_members
from hw.sdram.memory import SdramMemory
from hw.soc.axi_slice import AxiSlice
from hw.soc.core_reset import CoreReset
from hw.soc.run_lights import RunLights
from hw.soc.write_guard import WriteGuard
from hw.stream.kept import KEPT
from models.machine.build import BuildParameters

__all__ = ["SerialSoc"]

_CORE, _LINK = 0, 1  # memory ports


class SerialSoc(wiring.Component):
    """A build of a board with a `serial` description. `BUILD` reads `build_id`, which names all of it.

    `rx`, `tx`: the serial line, idle high (docs/link.md). `sdram_*`: the SDRAM's pins, as `hw.sdram` drives them; `dq`
    as output, its enable, and input. `light_alive`, `light_busy`, `light_error`: `hw.soc.run_lights`.

    The SDRAM begins at address 0, for the core and for the link; what lies beyond is answered with DECERR. The core may
    access what its registers BASE and LIMIT allow, the link all of it. The link's RESET resets the core alone: writes
    that it cuts are ended without effect (`hw.soc.write_guard`), answers that still come are dropped.

    `ValueError` for a build of more than one port.
    """

    def __init__(self, build: BuildParameters, board: Board, *, build_id: int = 0) -> None:
        if build.ports != 1:
            raise ValueError(f"an SDRAM serves one port, not {build.ports}")
        if board.serial is None:
            raise ValueError(f"board {board.name} has no serial line and SDRAM")
        self._core = Core(build, build_id=build_id)
        self._link = SerialLink(build.clock_mhz, board.serial.baud)
        self._memory = SdramMemory(board.serial.sdram, 2, build.clock_mhz)
        super().__init__({"rx": In(1, init=1), "tx": Out(1), "light_alive": Out(1), "light_busy": Out(1),
                          "light_error": Out(1), **flat_members("sdram", self._memory.pins.signature)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.link, m.submodules.memory = link, memory = self._link, self._memory
        m.submodules.core_reset = reset = CoreReset()
        m.submodules.core = DomainRenamer("core")(self._core)
        m.domains += self._core_domain(m, reset)
        m.submodules.guard, m.submodules.slice = guard, cut = WriteGuard(), AxiSlice()
        m.submodules.lights = lights = RunLights()
        core = self._core

        connect_flat(m, memory.pins, self, "sdram")
        connect(m, link.axi, memory.axi[_LINK])
        self._connect_core(m, guard, cut.i)
        connect(m, cut.o, memory.axi[_CORE])
        for name, member in Axi4Lite().members.items():
            ours, its = getattr(link.registers, name), getattr(core, f"s_axi_{name}")
            m.d.comb += its.eq(ours) if member.flow == Out else ours.eq(its)
            m.d.comb += getattr(lights.bus, name).eq(ours)
        m.d.comb += [
            link.rx.eq(self.rx), self.tx.eq(link.tx), link.irq.eq(core.irq), link.memory_ready.eq(memory.ready),
            reset.request.eq(link.reset_core), guard.cut.eq(reset.cut),
            lights.line.eq(self.rx), lights.irq.eq(core.irq), lights.reset.eq(reset.cut),
            self.light_alive.eq(lights.alive), self.light_busy.eq(lights.busy), self.light_error.eq(lights.error),
        ]
        return m

    def _core_domain(self, m: Module, reset: CoreReset) -> ClockDomain:
        """The core's own, on the same clock: its reset comes from a register, which has a thousand loads."""
        domain = ClockDomain("core", local=True)
        domain.rst = late = Signal(name="core_rst", init=1, attrs=KEPT)
        m.d.sync += late.eq(reset.reset)
        m.d.comb += domain.clk.eq(ClockSignal())
        return domain

    def _connect_core(self, m: Module, guard: WriteGuard, port: object) -> None:
        """The core's port, its writes by way of the guard."""
        for name, member in Axi4().members.items():
            of_core = getattr(self._core, f"m0_axi_{name}")
            other = getattr(guard.i if hasattr(guard.i, name) else port, name)
            m.d.comb += other.eq(of_core) if member.flow == Out else of_core.eq(other)
        connect_master(m, guard.o, port)
