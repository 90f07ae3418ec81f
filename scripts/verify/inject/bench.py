"""A small model on a simulated core whose memory goes on around the model's buffer, beside the emulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.compiler.program import Program
from host.devices.base import Progress
from host.devices.emulator import EmulatorDevice
from host.runtime import Session, Top
from models.config import ModelConfig
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.synth import synthetic_model
from scripts.verify.inject.beside import BesideEmulator, TokenError
from scripts.verify.inject.form import PLAIN
from sim.rtl_device import BASE, RtlDevice, simulated_core

__all__ = ["SHAPE", "Bench", "InjectedDevice"]

SHAPE = ModelConfig(name="inject", vocab_size=40, hidden_size=64, ffn_size=96, layers=1, heads=2, kv_heads=1,
                    head_dim=24, activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
                    context=64)
"""The model: one layer with everything that a layer may have."""
GUARD = 1 << 16  # bytes of memory before and behind each buffer
PATTERN = 0xC3
LIMIT = 2_000_000  # cycles of a run: beyond, it hangs
WATCHDOG = 8_000  # cycles: several times what the slowest descriptor takes behind a memory that stalls


class InjectedDevice(RtlDevice):
    """`act` is called once `at` cycles of a pass' runs have passed, if they last so long, or, with `access`, at a
    register access, counted from now on; `acted` says whether it was."""

    watchdog = WATCHDOG
    patience = 14
    dead = False
    """The process has ended: it does nothing any more."""
    at: int | None = None
    access: int | None = None
    acted = False

    act: Callable[[], None]
    act_again: Callable[[], None] | None = None
    """What is to happen at the access, where `act` sets one."""

    def arm(self, act: Callable[[], None], *, at: int | None = None, access: int | None = None) -> None:
        """Let something happen once."""
        self.act, self.at, self.access, self.acted = act, at, access, False
        self.act_again = None

    def disarm(self) -> None:
        """Let nothing happen any more."""
        self.at = self.access = None

    def stop(self) -> None:
        if not self.dead:
            super().stop()

    def wait(self, progress: Progress | None = None) -> None:
        if self.at is not None:
            passed = self.core.run(self.at, until_irq=True)
            if self.core.irq:
                self.at -= passed  # of the pass' next program
            else:
                self.at, self.acted = None, True
                self.act()
        super().wait(progress)

    def write_register(self, offset: int, value: int) -> None:
        self._count()
        super().write_register(offset, value)

    def read_register(self, offset: int) -> int:
        self._count()
        return super().read_register(offset)

    def _count(self) -> None:
        if self.access is not None:
            self.access -= 1
            if self.access < 0:
                self.access, self.acted = None, True
                (self.act_again or self.act)()


class Bench(BesideEmulator):
    """Tokens on both, compared. Places for two buffers, so that a second process finds room beside the first one's."""

    def __init__(self, build: BuildParameters, seed: int = 0, shape: ModelConfig = SHAPE):
        self.build = build
        self.model = synthetic_model(build.fitted(shape), seed=seed)
        size = Program(self.model, build, rows=build.slots).size
        self.places = (GUARD, 2 * GUARD + size)
        self.core = simulated_core(build, memory=np.full(self.places[1] + size + GUARD, PATTERN, np.uint8), base=BASE)
        self.expected = Session(self.model, EmulatorDevice(build))
        self.place = 0
        self.form = PLAIN
        """Of the pass that the next fault meets."""
        self.open()
        self.begin([0])
        before, ports = self.session.counters.cycles, self.core.port_counters()
        self.check(1)
        self.run_cycles = self.session.counters.cycles - before
        """That a token takes behind a memory without stalls."""
        self.used = [now - then for now, then in zip(self.core.port_counters(), ports, strict=True)]
        """What it does on each port."""

    def open(self) -> None:
        """The device and the session of a process that begins, whatever the one before it left running."""
        device = InjectedDevice(self.build, core=self.core, first=self.places[self.place])
        device.identify()
        device.interval = WATCHDOG // 10
        device.limit = LIMIT
        self.device, self.session = device, Session(self.model, device)

    def restart(self, place: int) -> None:
        """A process that begins, its buffer at a place, the same or the other."""
        self.place = place
        self.open()

    def reset(self) -> None:
        """Core and memory as at first, whatever they were left in."""
        self.core.clear_faults()
        self.core.reset()
        self.core.protocol_errors()
        self.open()

    @property
    def outside(self) -> np.ndarray:
        """A copy of all memory but the buffer."""
        start = self.places[self.place]
        return np.concatenate([self.core.memory[:start], self.core.memory[start + self.session.program.size:]])

    def compare(self, expected: Top, found: Top) -> None:
        """As ever, and `TokenError` where a rule of AXI was broken."""
        if errors := self.core.protocol_errors():
            raise TokenError(f"the core broke the AXI protocol: {errors[0]}")
        super().compare(expected, found)

    def check_pass(self, tokens: Sequence[int]) -> None:
        """Append a pass of the bench's form on both; `TokenError` where what follows a token differs."""
        self._compare_pass(tokens, self.form.run(self.session, tokens))

    def _compare_pass(self, tokens: Sequence[int], found: Sequence[Top]) -> None:
        unstopped = self.form._replace(points=())
        for expected, top in zip(unstopped.run(self.expected, tokens), found, strict=True):
            self.compare(expected, top)

    def fails_with(self, tokens: Sequence[int]) -> str | None:
        """Append a pass of the bench's form on the device alone: the line of its error, None where it went well and was
        right."""
        try:
            found = self.form.run(self.session, tokens)
        except DeviceError as error:
            return str(error)
        except KeyboardInterrupt:
            return "KeyboardInterrupt"
        self._compare_pass(tokens, found)
        return None
