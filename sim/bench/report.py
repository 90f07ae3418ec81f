"""A measurement's figures, as the command prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.machine.build import PORT_BYTES, SHORTLIST, TRITS_PER_BYTE, TRITS_PER_GROUP, BuildParameters
from sim.bench.measure import Measurement
from sim.bench.probe import Timeline
from sim.bench.workload import Workload

__all__ = ["Figures"]


@dataclass(frozen=True)
class Figures:
    """Derived figures of one phase ("linear", "decode", "prefill") of a workload on a build.

    memory, outstanding: the model of DRAM behind it and the bursts that a port of it accepts, as in
    `VerilatedCore.configure`. run: the longest pass simulated. held: cycles of the whole with the memory held to so
    many GB/s.
    """

    phase: str
    workload: Workload
    build: BuildParameters
    measurement: Measurement
    memory: str
    outstanding: int
    run: Timeline | None = None
    held: Mapping[float, float] = field(default_factory=dict)

    def _speed(self, cycles: float) -> dict[str, float]:
        seconds = cycles / (self.build.clock_mhz * 1e6)
        return {"ttft_s": seconds} if self.phase == "prefill" else {"tokens_per_s": self.measurement.tokens / seconds}

    @property
    def seconds(self) -> float:
        """Of the whole measurement at the build's clock."""
        return self.measurement.counts.cycles / (self.build.clock_mhz * 1e6)

    @property
    def linear_seconds(self) -> float:
        """In which the linear layers are timed: in the phase "linear" the whole, else the linear engine's cycles."""
        counts = self.measurement.counts
        return self.seconds * (1 if self.phase == "linear" else counts.units["linear"] / counts.cycles)

    @property
    def weights(self) -> int:
        """Ternary weights of all linear layers, unpadded."""
        return self.workload.layer_weights * self.workload.whole.layers

    @property
    def head_weights(self) -> int:
        """Weights of the head, one row a token of the vocabulary."""
        return self.workload.whole.vocab_size * self.workload.whole.hidden_size

    @property
    def ternary_head_weights(self) -> int:
        """Those that go through the look-up array: of a shortlist's ternary copy."""
        return self.head_weights if self.measurement.head == "shortlist" else 0

    @property
    def head_bytes(self) -> float:
        """Useful bytes of the head: int8 rows, or 1.6 bits a weight of their copy and the int8 rows of shortlists."""
        m = self.measurement
        if m.head == "exact":
            return self.head_weights * m.head_passes
        listed = min(SHORTLIST, self.workload.whole.vocab_size) * self.workload.whole.hidden_size
        return self.head_weights / TRITS_PER_BYTE * m.head_passes + listed * m.head_rows

    @property
    def ddr_limit(self) -> float:
        """GB/s that the build's ports can carry one way: a beat each a cycle."""
        return self.build.ports * PORT_BYTES * self.build.clock_mhz / 1e3

    @property
    def array_limit(self) -> float:
        """GMAC/s of the look-up array, every look-up used."""
        lookups = self.build.tables * self.build.outputs_per_step * self.build.rows
        return lookups * TRITS_PER_GROUP * self.build.clock_mhz / 1e3

    @property
    def linear_gb_s(self) -> float:
        """Useful bytes of weights a second of the whole measurement, for they are fetched ahead at any time: 1.6 bits
        a weight, no padding, nothing read for its own sake. Never more than the ports can carry."""
        m = self.measurement
        weights = self.weights * m.passes + self.ternary_head_weights * m.head_passes
        return weights / TRITS_PER_BYTE / self.seconds / 1e9

    @property
    def array_gmac_s(self) -> float:
        """Useful multiply-adds a second of the look-up array."""
        m = self.measurement
        return (self.weights * m.tokens + self.ternary_head_weights * m.head_rows) / self.linear_seconds / 1e9

    def to_json(self) -> dict[str, object]:
        """What `--json` prints."""
        counts = self.measurement.counts
        rate = counts.ddr_bytes / self.seconds / 1e9
        return {
            "model": self.workload.whole.name, "board": self.build.name, "phase": self.phase, "memory": self.memory,
            "cycles": round(counts.cycles), "clock_mhz": self.build.clock_mhz,
            **self._speed(counts.cycles), "outstanding": self.outstanding,
            **({"at_gb_s": {str(rate): {"cycles": round(cycles), **self._speed(cycles)}
                            for rate, cycles in self.held.items()}} if self.held else {}),
            "ddr_bytes": round(counts.ddr_bytes), "ddr_gb_s": rate, "ddr_utilisation": rate / self.ddr_limit,
            "linear_gb_s": self.linear_gb_s, "array_gmac_s": self.array_gmac_s,
            "simulated_layers": self.workload.layers,
            "breakdown": _rounded(counts.units),
            **({"run": self._of_run(self.run)} if self.run is not None else {}),
        }

    @staticmethod
    def _of_run(run: Timeline) -> dict[str, object]:
        """The longest pass alone, with the layers that were simulated: `busy` are the registers of its end."""
        counts = run.counts()
        return {"cycles": round(counts.cycles), "ddr_bytes": round(counts.ddr_bytes),
                "breakdown": _rounded(counts.units), "busy": run.busy}

    def title(self) -> str:
        """What was simulated, in a few words."""
        return (f"{self.workload.whole.name}, {self.phase}, build {self.build.name} at {self.build.clock_mhz} MHz, "
                f"{self.workload.layers} of {self.workload.whole.layers} layers")

    def notes(self) -> list[str]:
        """What the figures rest on."""
        whole, vocabulary = self.workload.whole, self.workload.model.config.vocab_size
        lines = [f"simulated: {self.workload.layers} of {whole.layers} layers, the others taken as alike"]
        if self.phase != "linear" and vocabulary < whole.vocab_size:
            lines.append(f"simulated: {vocabulary} of {whole.vocab_size} rows of the head, the others taken as alike")
        if self.measurement.head == "shortlist":
            lines.append(f"simulated: a shortlist of {SHORTLIST} chosen among all {vocabulary} rows of the head")
        return lines

    def headline(self) -> str:
        """What was measured, and its speed."""
        data = self.to_json()
        speed = _told(self._speed(self.measurement.counts.cycles))
        return (f"{self.workload.whole.name}, {self.phase}, build {self.build.name}, simulated at "
                f"{self.build.clock_mhz} MHz before the memory model {self.memory!r} with {self.outstanding} bursts "
                f"under way a port: {data['cycles']} cycles, {speed}")

    def table(self) -> str:
        """The figures for a reader."""
        data = self.to_json()
        counts = self.measurement.counts
        lines = [
            self.headline(),
            f"memory   {counts.ddr_bytes / 1e6:.2f} MB, {data['ddr_gb_s']:.2f} GB/s, "
            f"{100 * data['ddr_utilisation']:.1f} % of the ports' {self.ddr_limit:.1f}",
            f"weights  {self.linear_gb_s:.2f} GB/s useful, {100 * self.linear_gb_s / self.ddr_limit:.1f} % of the "
            "ports'",
            *(f"held to {rate} GB/s: {_told(self._speed(cycles))}" for rate, cycles in self.held.items()),
            *([f"head     {self.head_bytes / 1e6:.2f} MB useful, {self.measurement.head}"]
              if self.measurement.head_passes else []),
            f"array    {self.array_gmac_s:.1f} GMAC/s useful, {100 * self.array_gmac_s / self.array_limit:.1f} % of "
            f"its {self.array_limit:.1f}",
        ]
        lines += [f"  {name:8}{cycles:>12.0f} cycles {100 * cycles / counts.cycles:6.2f} %"
                  for name, cycles in counts.units.items()]
        return "\n".join(lines)


def _told(speed: Mapping[str, float]) -> str:
    return f"{speed['ttft_s']:.4f} s to the first token" if "ttft_s" in speed else f"{speed['tokens_per_s']:.2f} tok/s"


def _rounded(units: dict[str, float]) -> dict[str, int]:
    return {name: round(cycles) for name, cycles in units.items()}
