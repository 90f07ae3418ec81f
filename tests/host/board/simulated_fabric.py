"""The emulator with what a fabric counts, and with faults of a board's memory ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from host.devices.base import Buffer
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from models.machine.build import PORT_BYTES, BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, Descriptor, Opcode, unpack
from models.machine.layout import stripe
from models.machine.registers import Control, register

__all__ = ["SimulatedFabric", "StuckBit"]

OVERHEAD = 100  # cycles of a run beside its streams
_CONTROL = register("CONTROL").offset


class StuckBit(NamedTuple):
    """Bit `bit`, 0 .. 127, of port `port` reads 1, whatever lies in memory."""

    port: int
    bit: int


class SimulatedFabric(EmulatorDevice):
    """Counts the beats of streams, and the cycles that they take at `rates`, by port. stuck: a wrong data line. wrong:
    an operation whose unit works with other fields than its descriptor has. held: registers that keep a value.
    crossing: streams of so many beats meet in the memory's banks, and take twice as long."""

    def __init__(self, build: BuildParameters, *, rates: Sequence[float] = (1, 1, 1, 1), stuck: StuckBit | None = None,
                 wrong: Mapping[Opcode, Mapping[str, int]] = MappingProxyType({}),
                 held: Mapping[str, int] = MappingProxyType({}), crossing: int = 0):
        super().__init__(build, kernels=NUMPY if stuck or wrong else "auto")
        self.rates, self.stuck, self._wrong, self._crossing = list(rates), stuck, wrong, crossing
        self._held = {register(name).offset: value for name, value in held.items()}
        self._dram: Buffer | None = None
        self._counted: dict[int, int] = {}

    def memory_of(self, size: int) -> Buffer:
        """A board's memory, where the host sets what the fabric may touch."""
        return self._memory(size)

    def _memory(self, size: int) -> Buffer:
        self._dram = super()._memory(size)
        for opcode, changes in self._wrong.items():
            run = self.machine._execute[opcode]
            self.machine._execute[opcode] = lambda f, run=run, changes=changes: run(f._replace(**changes))
        return self._dram

    def read_register(self, offset: int) -> int:
        return self._held.get(offset, self._counted.get(offset, super().read_register(offset)))

    def write_register(self, offset: int, value: int) -> None:
        if offset == _CONTROL and value & Control.START and self._dram is not None:
            streams = [f for f in self._descriptors() if f.opcode == Opcode.STREAM]
            self._count(sum(f.beats for f in streams), 2 if any(f.beats == self._crossing for f in streams) else 1)
            with self._seen_wrong(streams):
                super().write_register(offset, value)
        else:
            super().write_register(offset, value)

    def _descriptors(self) -> list[Descriptor]:
        start = (self.get("PROGRAM_LOW") | self.get("PROGRAM_HIGH") << 32) - self._dram.address
        words = self._dram.array[start:start + self.get("DESCRIPTORS") * DESCRIPTOR_BYTES].tobytes()
        try:
            return [unpack(words[n:n + DESCRIPTOR_BYTES]) for n in range(0, len(words), DESCRIPTOR_BYTES)]
        except ValueError:  # a bad one: the fabric says so
            return []

    def _count(self, beats: int, times: int) -> None:
        cycles = [round(beats * times / rate) for rate in self.rates]
        self._counted = {register("CYCLES_LOW").offset: max(cycles) + OVERHEAD}
        for port in range(self.build.ports):
            self._counted |= {register(f"PORT_BEATS_{port}").offset: beats,
                              register(f"PORT_CYCLES_{port}").offset: cycles[port]}

    @contextmanager
    def _seen_wrong(self, streams: list[Descriptor]) -> Iterator[None]:
        """What streams read, with the stuck bit, for the time of a run."""
        kept = self._dram.array.copy() if self.stuck else None
        if self.stuck:
            for f in streams:
                line = np.zeros((f.beats, self.build.ports, PORT_BYTES), np.uint8)
                line[:, self.stuck.port, self.stuck.bit // 8] = 1 << self.stuck.bit % 8
                start = f.address - self._dram.address
                self._dram.array[start:start + line.size] |= stripe(line.reshape(-1), self.build)
            self.machine.forget_streams()
        written = self._dram.array.copy() if self.stuck else None
        yield
        if self.stuck:
            self.machine.forget_streams()
            read_only = self._dram.array == written
            self._dram.array[read_only] = kept[read_only]
