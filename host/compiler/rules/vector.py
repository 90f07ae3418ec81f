"""LOAD, NORM, RESIDUAL, SELECT and STORE: what fills the vector engine's memories, works on them and leaves them."""

from __future__ import annotations

import numpy as np

from host.compiler.rules.listed_pass import up
from host.compiler.rules.operation import Operation
from models.machine.build import CHANNEL_UNIT, PORT_BYTES, SHORTLIST
from models.machine.descriptor import STEP_BYTES, LoadTarget, NormSource, StoreSource

__all__ = ["load", "norm", "residual", "select", "store"]

_CHANNEL_BYTES = {LoadTarget.RESIDUAL: 4, LoadTarget.GAIN: 2, LoadTarget.TAP: 8, LoadTarget.ROPE: 2,
                  LoadTarget.INPUT: 2, LoadTarget.HEAD_INPUT: 2, LoadTarget.STEP: STEP_BYTES, LoadTarget.AFFINE: 4}


def load(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    operation.within("target", max(LoadTarget), 0)
    operation.multiples(PORT_BYTES, "address", "address_stride")
    target = np.minimum(f["target"], max(LoadTarget))
    per = np.array([_CHANNEL_BYTES[t] for t in sorted(LoadTarget)])[target]
    room = {LoadTarget.RESIDUAL: build.slots * build.hidden_max, LoadTarget.ROPE: build.slots * build.head_dim_max,
            LoadTarget.HEAD_INPUT: build.hidden_max, LoadTarget.STEP: build.slots}
    rooms = np.array([room.get(t, up(build.inputs_max, CHANNEL_UNIT)) for t in sorted(LoadTarget)])[target]
    first = np.where(target == LoadTarget.STEP, f["row"], f["offset"])
    operation.refuse((f["bytes"] == 0) | (first + f["bytes"] // per > rooms),
                     "{bytes} bytes from element {offset}, row {row} on do not fit its memory {target}")
    rows = np.where(target == LoadTarget.HEAD_INPUT, build.head_rows, build.slots)
    operation.refuse(f["row"] >= rows, "there is no row {row}")
    end = f["address"] + operation.last_position() * f["address_stride"] + f["bytes"]
    operation.inside(f["address"], end, "it reads")


def norm(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    operation.channels("count", {NormSource.RESIDUAL: build.hidden_max, NormSource.GATED: build.inputs_max,
                                 NormSource.ATTENTION: build.attention_channels})
    operation.attention_groups(NormSource.ATTENTION)
    sums = np.where(f["source"] == NormSource.GATED, f["count"], 0)
    for name in ("gate_accumulator", "up_accumulator"):
        operation.sums(name, sums)
    operation.refuse((f["levels16"] > 0) & (f["rows"] > build.head_rows),
                     f"{{rows}} rows for a head of {build.head_rows}")


def residual(operation: Operation) -> None:
    operation.within("count", operation.build.hidden_max)
    operation.multiples(CHANNEL_UNIT, "count")
    operation.sums("accumulator", operation.fields["count"])


def select(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    operation.within("count", min(build.inputs_max, build.batch_words * build.outputs_per_step))
    operation.within("k", SHORTLIST)
    operation.sums("accumulator", f["count"])
    operation.refuse(f["first_id"] + f["count"] > 1 << 24, "ids from {first_id} on exceed 24 bits")


def store(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    operation.channels("count", {StoreSource.RESIDUAL: build.hidden_max, StoreSource.SUMS: build.inputs_max,
                                 StoreSource.ATTENTION: build.attention_channels})
    operation.attention_groups(StoreSource.ATTENTION)
    operation.multiples(PORT_BYTES, "address", "steps")
    operation.sums("accumulator", np.where(f["source"] == StoreSource.SUMS, f["count"], 0))
    operation.inside(f["address"], f["address"] + f["rows"] * f["count"] * 4, "it writes")
    steps = np.where(f["source"] == StoreSource.RESIDUAL, operation.base, f["steps"])
    size = np.where(f["source"] == StoreSource.RESIDUAL, 0, f["rows"] * STEP_BYTES)
    operation.inside(steps, steps + size, "it writes steps at")
