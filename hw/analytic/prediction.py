"""What a build will do with a model's linear layers, and what it will take of the device."""

from __future__ import annotations

from dataclasses import dataclass

from hw.analytic.cycles import LinearCycles, linear_cycles
from hw.analytic.sites import engine_sites
from hw.analytic.vector import vector_cycles
from hw.boards.device import Resources
from hw.boards.memory_rate import MemoryRate
from models.config import ModelConfig
from models.machine.build import TRITS_PER_BYTE, BuildParameters

__all__ = ["Prediction", "Speed", "predict", "predict_speed"]


@dataclass(frozen=True)
class Speed:
    """The linear layers of a whole model in one pass of `rows` rows; figures as `sim.bench` defines them."""

    rows: int
    cycles: float
    ddr_bytes: int
    array_steps: int
    weights: int  # ternary ones, without any padding
    clock_mhz: int

    @property
    def seconds(self) -> float:
        """Of the pass."""
        return self.cycles / (self.clock_mhz * 1e6)

    @property
    def linear_gb_s(self) -> float:
        """Useful bytes of weights a second: 1.6 bits a weight."""
        return self.weights / TRITS_PER_BYTE / self.seconds / 1e9

    @property
    def array_gmac_s(self) -> float:
        """Useful multiply-adds a second."""
        return self.weights * self.rows / self.seconds / 1e9

    @property
    def cycles_a_row(self) -> float:
        """What a token of the pass costs."""
        return self.cycles / self.rows


@dataclass(frozen=True)
class Prediction:
    """Of one build: a decoded token, a pass of a prompt, cycles of the vector engine a token, the engine's sites."""

    build: BuildParameters
    decode: Speed
    prefill: Speed
    vector: float
    engine: Resources


def predict_speed(config: ModelConfig, build: BuildParameters, memory: MemoryRate, *, rows: int,
                  layers: int | None = None) -> Speed:
    """One pass of `rows` rows. All layers cost what the second of two does, but the first, which finds an empty buffer.

    layers: so many are computed one by one and scaled to the model's (as `sim.bench` does with those it simulates).
    """
    if layers is None:
        first = linear_cycles(config, build, memory, rows=rows, layers=1)
        both = linear_cycles(config, build, memory, rows=rows, layers=2)
        cycles = first.cycles + (config.layers - 1) * (both.cycles - first.cycles)
        return _speed(config, build, rows, first, cycles, config.layers)
    some = linear_cycles(config, build, memory, rows=rows, layers=layers)
    scale = config.layers / layers
    return _speed(config, build, rows, some, some.cycles * scale, scale)


def _speed(config: ModelConfig, build: BuildParameters, rows: int, some: LinearCycles, cycles: float,
           scale: float) -> Speed:
    weights = config.layers * sum(outputs * inputs for outputs, inputs in config.linear_shapes.values())
    return Speed(rows, cycles, round(some.bytes * scale), round(some.array_steps * scale), weights, build.clock_mhz)


def predict(config: ModelConfig, build: BuildParameters, memory: MemoryRate) -> Prediction:
    """Decode is one row; prefill takes the rows of a pass, which are all slots if the buffer holds a tile."""
    return Prediction(build, predict_speed(config, build, memory, rows=1),
                      predict_speed(config, build, memory, rows=build.shared_rows(config)),
                      vector_cycles(config, build), engine_sites(build))
