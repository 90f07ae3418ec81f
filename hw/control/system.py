"""Control system: registers, the sequencer, the engines' queues and semaphores, and the state of a run."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.boards.technology import PLAIN
from hw.command import COMMAND_BITS, POSITIONS
from hw.control.engine_queue import EngineQueue
from hw.control.fault_report import FaultReport
from hw.control.registers import Registers
from hw.control.run_control import RunControl
from hw.control.semaphores import Semaphores
from hw.control.sequencer import Sequencer
from hw.control.watchdog import Watchdog
from hw.memory.axi import DATA_BITS, Axi4Lite
from hw.memory.shapes import MEMORY_FAULT, READ_REQUEST
from hw.stream.event_counter import EventCounter
from hw.stream.reset_tree import ResetTree
from models.machine.build import BuildParameters
from models.machine.descriptor import Engine
from models.machine.registers import IDENTITY, SEQUENCES, VERSION, Control, position_register

__all__ = ["ControlSystem"]


class ControlSystem(wiring.Component):
    """Everything between the processor's register bus and the engines' command ports.

    commands, retired: one each an engine, index `Engine`; a command is offered until its engine takes it,
    `retired` pulses once for each, later than its transfer. descriptor_read, descriptors: the sequencer's
    client of the memory system.

    reset_engines: reset of all engines and `stop` of the memory system, high before each run and after an
    error, each time until `memory_quiet`; from a register. faulty: an access of memory failed, as `fault` says, which
    ends the run. axi_errors, saturations, invalid_trits, zeros, activations, port_beats, port_busy: events of this
    cycle, added to the registers. positions: the POSITION registers as of the start of the run. base, limit: the
    registers BASE and LIMIT. irq: high from the end of a run until it is acknowledged.
    """

    def __init__(self, build: BuildParameters, *, build_id: int = 0) -> None:
        if not 0 <= build_id < 1 << 32:
            raise ValueError(f"build_id must be 32 bits, got {build_id:#x}")
        self._build, self._build_id = build, build_id
        super().__init__({
            "bus": In(Axi4Lite()),
            "irq": Out(1),
            "positions": Out(POSITIONS),
            "reset_engines": Out(1),
            "base": Out(32),
            "limit": Out(32),
            "memory_quiet": In(1),
            "faulty": In(1),
            "fault": In(MEMORY_FAULT),
            "descriptor_read": Out(stream.Signature(READ_REQUEST)),
            "descriptors": In(stream.Signature(DATA_BITS)),
            "commands": Out(stream.Signature(COMMAND_BITS)).array(len(Engine)),
            "retired": In(1).array(len(Engine)),
            "axi_errors": In(range(build.ports + 2)),
            "saturations": In(8),
            "invalid_trits": In(range(build.beat_bytes + 1)),
            "zeros": In(16),
            "activations": In(16),
            "port_beats": In(build.ports),
            "port_busy": In(build.ports),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.registers = registers = Registers()
        m.submodules.run = run = RunControl()
        report, watchdog = FaultReport(), Watchdog()
        m.submodules.fault_report = ResetTree("fault_report")(report)
        m.submodules.watchdog = ResetTree("watchdog")(watchdog)

        def resettable(name: str, unit: wiring.Component) -> None:
            m.submodules[name] = ResetInserter(run.reset_engines)(ResetTree(name)(unit))

        sequencer, semaphores = Sequencer(self._build), Semaphores(len(Engine))
        resettable("sequencer", sequencer)
        resettable("semaphores", semaphores)
        connect(m, flipped(self.bus), registers.bus)
        connect(m, sequencer.read, flipped(self.descriptor_read))
        connect(m, flipped(self.descriptors), sequencer.beats)

        # a register, which tools make a constant of: of a constant Amaranth would leave no text for the hash to go into
        build_id = Signal(32, init=self._build_id)
        m.d.sync += build_id.eq(self._build_id)
        begun = Signal()  # a register, for many loads; the run's first event is later
        m.d.sync += begun.eq(run.accepted)
        queues_idle = Const(1, 1)
        retired = Signal(len(Engine))
        heard = m.d.sync if (platform or PLAIN).slow_wires else m.d.comb  # out of engines all over the chip
        heard += retired.eq(Cat(*self.retired))
        for engine in Engine:
            queue = EngineQueue(beats=self._build.command_beats)
            resettable(f"queue_{engine.name.lower()}", queue)
            connect(m, sequencer.queues[engine], queue.i)
            connect(m, queue.command, flipped(self.commands[engine]))
            connect(m, queue.take, semaphores.take[engine])
            connect(m, queue.give, semaphores.give[engine])
            m.d.comb += queue.retired.eq(retired[engine])
            queues_idle = queues_idle & queue.idle
            self._count(m, f"busy_{engine.name.lower()}", queue.busy, registers, clear=begun)

        program = Cat(registers.program_low, registers.program_high)[:len(sequencer.program)]
        of_run = Signal(data.StructLayout({"program": len(program), "count": 32, "positions": POSITIONS}),
                        reset_less=True)
        with m.If(begun):
            m.d.sync += [
                of_run.program.eq(program), of_run.count.eq(registers.descriptors),
                *(of_run.positions[s].eq(getattr(registers, position_register(s).lower())) for s in range(SEQUENCES)),
            ]
        m.d.comb += [
            sequencer.program.eq(of_run.program), sequencer.count.eq(of_run.count),
            self.positions.eq(of_run.positions),
            run.start.eq((registers.control & Control.START).any()),
            run.acknowledge.eq((registers.control & Control.ACKNOWLEDGE).any()),
            run.abort.eq((registers.control & Control.ABORT).any()),
            run.quiet.eq(self.memory_quiet),
            run.finished.eq(sequencer.done & queues_idle),
            run.axi_error.eq(self.faulty & (self.fault.response != 0)),
            run.outside.eq(self.faulty & (self.fault.response == 0)),
            run.bad_descriptor.eq(sequencer.bad),
            run.expired.eq(watchdog.expired),
            sequencer.start.eq(run.go),
            watchdog.limit.eq(registers.watchdog),
            watchdog.enable.eq(run.busy),
            watchdog.progress.eq(retired.any() | run.go),
            self.reset_engines.eq(run.reset_engines),
            self.base.eq(registers.base),
            self.limit.eq(registers.limit),
            report.begin.eq(run.accepted),
            report.busy.eq(run.busy),
            report.fetched.eq(sequencer.fetched),
            report.failing.eq(run.failing),
            report.faulty.eq(self.faulty),
            report.fault.eq(self.fault),
            registers.fault.eq(report.report),
            registers.fault_address_low.eq(report.address[:32]),
            registers.fault_address_high.eq(report.address[32:]),
            registers.fault_descriptor.eq(report.descriptor),
            self.irq.eq(run.irq),
            registers.id.eq(IDENTITY),
            registers.version.eq(VERSION),
            registers.build.eq(build_id),
            registers.status.eq(run.status),
            registers.cycles_low.eq(run.cycles[:32]),
            registers.cycles_high.eq(run.cycles[32:]),
        ]
        cleared = (registers.control & Control.CLEAR).any()
        for name in ("saturations", "invalid_trits", "axi_errors"):
            self._count(m, name, getattr(self, name), registers, clear=cleared)
        for name in ("zeros", "activations"):
            self._count(m, name, getattr(self, name), registers, clear=begun)
        for port in range(len(self.port_beats)):
            self._count(m, f"port_beats_{port}", self.port_beats[port], registers, clear=begun)
            self._count(m, f"port_cycles_{port}", self.port_busy[port], registers, clear=begun)
        return m

    @staticmethod
    def _count(m: Module, name: str, events, registers: Registers, *, clear) -> None:
        """Add `events` up in the register `name`."""
        counter = EventCounter(len(events))
        m.submodules[f"count_{name}"] = ResetTree(f"count_{name}")(counter)
        m.d.comb += [
            counter.events.eq(events),
            counter.clear.eq(clear),
            getattr(registers, name).eq(counter.count),
        ]
