"""What every step of a pass needs: the model's places in device memory, the list in the making, norms and taps."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence
from dataclasses import dataclass, field

import numpy as np

from host.compiler.descriptor_list import DescriptorList, Semaphore
from host.compiler.memory_map import TAP_BYTES, MemoryMap, tap_name
from host.pipeline.normalisation.rmsnorm import RMSNorm
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.closed_loop import ClosedLoop
from models.golden.model import TapPoint
from models.golden.tap import Tap
from models.machine.build import BuildParameters
from models.machine.descriptor import LoadTarget, Loop, NormSource, Opcode

__all__ = ["PassContext"]


@dataclass
class PassContext:
    """A pass over a model that lies at device addresses from `base` on; `list` takes its descriptors."""

    model: Model
    build: BuildParameters
    memory: MemoryMap
    base: int
    taps: Mapping[TapPoint, Tap]
    layers: range  # those of the pass
    list: DescriptorList = field(default_factory=DescriptorList)

    @property
    def config(self) -> ModelConfig:
        """The model's shape."""
        return self.model.config

    def address(self, name: str) -> int:
        """Device address of a region."""
        return self.base + self.memory[name]

    def tap_fields(self, point: TapPoint | None, wait: MutableSequence[Semaphore],
                   reads: MutableSequence[LoadTarget]) -> dict[str, int]:
        """Load the tap of a point, if it has one, and the fields that say so; what its user waits for and reads."""
        tap = self.taps.get(point) if point is not None else None
        if tap is None:
            return {"tap": 0, "tap_add_exponent": 0, "tap_clip_exponent": 0, "tap_threshold_exponent": 0}
        target = LoadTarget.AFFINE if tap.affine else LoadTarget.TAP
        wait += self.list.load_vector(LoadTarget.TAP, tap_name(point), self.address(tap_name(point)),
                                       tap.gain.size * TAP_BYTES[target], target)
        reads.append(LoadTarget.TAP)
        return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
                "tap_threshold_exponent": tap.threshold_exponent}

    def loop_fields(self, point: TapPoint | None) -> dict[str, int]:
        """Whether the tap of a point of the residual is a closed loop, and its setpoint."""
        tap = self.taps.get(point) if point is not None else None
        if isinstance(tap, ClosedLoop):
            return {"loop": tap.acts, "setpoint": tap.setpoint}
        return {"loop": Loop.NONE, "setpoint": 0}

    def head_norm_fields(self, layer: int, name: str, wait: MutableSequence[Semaphore],
                         reads: MutableSequence[LoadTarget]) -> dict[str, int]:
        """Load the gains of the norm of q's or k's heads, if the model has one, and the fields that say so; what its
        user waits for and reads."""
        if not self.config.qk_norm:
            return {"normed": 0, "norm_gain": 0, "norm_eps": 0}
        gain_name, dim = f"{layer}.gain.{name}", self.config.head_dim
        wait += self.list.load_vector(LoadTarget.GAIN, gain_name, self.address(gain_name), dim * 2)
        reads.append(LoadTarget.GAIN)
        fields = RMSNorm.fields(dim, self.model.layers[layer].gains[name][1], self.config.rms_eps)
        return {"normed": 1, "norm_gain": fields["gain"], "norm_eps": fields["eps_sum"]}

    def norm(self, gain_name: str, gains: tuple[np.ndarray, int] | None, source: NormSource, count: int, *,
             first_row: int, rows: int, point: TapPoint | None = None, wait: tuple[Semaphore, ...] = (),
             signal: tuple[Semaphore, ...] = (Semaphore.ACTIVATIONS_READY,), levels16: int = 0,
             **source_fields: int) -> None:
        """NORM of `count` channels of some rows, its gains and the tap of `point` seen to."""
        waits, reads = list(wait), []
        if gains is not None:
            waits += self.list.load_vector(LoadTarget.GAIN, gain_name, self.address(gain_name), count * 2)
            reads.append(LoadTarget.GAIN)
        tap_fields = self.tap_fields(point, waits, reads)
        fields = {"activation": 0, "group_channels": 0, "gate_accumulator": 0, "up_accumulator": 0, "gate_scale": 0,
                  "up_scale": 0, **source_fields}
        self.list.add(Opcode.NORM, wait=waits, signal=signal, reads=reads, count=count, first_row=first_row,
                       rows=rows, source=source, levels16=levels16,
                       unit_exponent=-self.model.residual_fraction_bits if source == NormSource.RESIDUAL else 0,
                       **RMSNorm.fields(count, gains[1] if gains is not None else None, self.config.rms_eps),
                       **tap_fields, **fields)
