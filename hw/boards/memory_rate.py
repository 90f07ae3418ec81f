"""A board's memory: which model simulates it, and the rate and latency that cycles are predicted with."""

from __future__ import annotations

from dataclasses import dataclass

from models.machine.build import PORT_BYTES, BuildParameters

__all__ = ["MODELS", "SIMPLE_MEMORY", "MemoryRate"]

MODELS = ("simple", "kv260")
"""The simulator's memories by name: each port by itself, or all before the KV260's DDR controller."""


@dataclass(frozen=True)
class MemoryRate:
    """A memory as a weight stream sees it: nothing but streams is read, over all ports, as the compiler lays them out.

    port_rate: beats a cycle that one port takes. limit_gb_s: what all ports get together, None for no limit.
    latency_ns: from an address to its first beat; latency_cycles: the same, of a memory clocked with the core.
    model: what simulates it, of `MODELS`. quoted_gb_s: rates at which speeds are given beside the model's own.
    """

    model: str
    port_rate: float
    limit_gb_s: float | None
    latency_ns: float = 0.0
    latency_cycles: int = 0
    quoted_gb_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"no model of a memory {self.model!r}: there are {', '.join(MODELS)}")

    def beats_a_cycle(self, build: BuildParameters) -> float:
        """Wide beats (of all the build's ports) a cycle."""
        if self.limit_gb_s is None:
            return self.port_rate
        ports_gb_s = build.ports * PORT_BYTES * build.clock_mhz / 1e3
        return min(self.port_rate, self.limit_gb_s / ports_gb_s)

    def latency(self, build: BuildParameters) -> float:
        """Cycles from an address to its first beat."""
        return self.latency_cycles + self.latency_ns * build.clock_mhz / 1e3

    def sequential_gb_s(self, build: BuildParameters) -> float:
        """GB/s of one long read over the build's ports."""
        return self.beats_a_cycle(build) * build.beat_bytes * build.clock_mhz / 1e3


SIMPLE_MEMORY = MemoryRate("simple", port_rate=1.0, limit_gb_s=None, latency_cycles=20)
"""Each port answers by itself after 20 cycles, then a beat a cycle."""
