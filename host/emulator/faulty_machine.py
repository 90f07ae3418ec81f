"""The machine in NumPy with wrong bits: each bit of its stored activations or sums flips with a given probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.devices.base import Buffer
from host.devices.emulator import EmulatorDevice
from host.emulator.accumulators import Accumulators
from host.emulator.library import NUMPY
from host.emulator.machine import Machine
from models.machine.build import BuildParameters
from models.machine.descriptor import Descriptor, LoadTarget, Opcode

__all__ = ["FaultyEmulator", "FaultyMachine", "FlipRates", "flip_bits"]


class FlipRates(NamedTuple):
    """Probability that a bit is wrong: of int8 activations of linear layers, of int32 sums, each time one is stored."""

    activations: float = 0.0
    sums: float = 0.0


def flip_bits(values: np.ndarray, rate: float, rng: np.random.Generator) -> int:
    """Flip each bit of a contiguous array of integers, in place, with probability `rate`; returns how many."""
    raw = values.reshape(-1).view(np.uint8)
    flips = int(rng.binomial(raw.size * 8, rate))
    places = rng.choice(raw.size * 8, flips, replace=False)
    np.bitwise_xor.at(raw, places // 8, np.uint8(1) << (places % 8).astype(np.uint8))
    return flips


class FaultyMachine(Machine):
    """`Machine`, whose memories of activations and of sums store wrong bits. `flips` counts them."""

    def __init__(self, build: BuildParameters, memory: np.ndarray, base: int, *, rates: FlipRates,
                 rng: np.random.Generator):
        super().__init__(build, memory, base)
        self._rates, self._rng = rates, rng
        self._accumulators = self._faulty = _FaultyAccumulators(build, rates.sums, rng)
        self._activation_flips = 0
        norm, load = self._execute[Opcode.NORM], self._execute[Opcode.LOAD]

        def faulty_norm(f: Descriptor) -> None:
            norm(f)
            if not f.levels16:
                self._store_wrongly(slice(f.first_row, f.first_row + f.rows))

        def faulty_load(f: Descriptor) -> None:
            load(f)
            if f.target == LoadTarget.INPUT:
                self._store_wrongly(slice(f.row, f.row + 1))

        self._execute |= {Opcode.NORM: faulty_norm, Opcode.LOAD: faulty_load}

    @property
    def flips(self) -> int:
        """Wrong bits so far."""
        return self._activation_flips + self._faulty.flips

    def _store_wrongly(self, rows: slice) -> None:
        values = np.ascontiguousarray(self._q[rows], np.int8)
        self._activation_flips += flip_bits(values, self._rates.activations, self._rng)
        self._q[rows] = values.astype(np.int64)


class _FaultyAccumulators(Accumulators):
    def __init__(self, build: BuildParameters, rate: float, rng: np.random.Generator):
        super().__init__(build)
        self._rate, self._rng, self.flips = rate, rng, 0

    def write(self, rows: slice, word: int, sums: np.ndarray, padding: int) -> None:
        values = sums.astype(np.int32)
        self.flips += flip_bits(values, self._rate, self._rng)
        super().write(rows, word, values, padding)


class FaultyEmulator(EmulatorDevice):
    """The emulator in NumPy with wrong bits at `rates`, drawn from `seed`."""

    def __init__(self, build: BuildParameters, rates: FlipRates, seed: int | list[int]):
        super().__init__(build, kernels=NUMPY)
        self._rates, self._rng = rates, np.random.default_rng(seed)

    def _memory(self, size: int) -> Buffer:
        buffer = super()._memory(size)
        self.machine = FaultyMachine(self.build, buffer.array, buffer.address, rates=self._rates, rng=self._rng)
        return buffer
