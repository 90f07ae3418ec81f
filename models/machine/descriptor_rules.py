"""What the fields of a descriptor may be for a build's fabric: numbers alone, of which each check is made separately.

The sequencer refuses what breaks them (`hw.control.descriptor_check`). They keep every engine within its memories'
rows and every burst aligned; what needs more than one field's value and a constant (whether heads x dim fit, whether a
stream has the beats of its matrix) is not among them. Where an access ends up is for BASE and LIMIT to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from models.machine.build import BURST_BEATS, CHANNEL_UNIT, HEAD_UNIT, PORT_BYTES, SHORTLIST, BuildParameters
from models.machine.descriptor import LoadTarget, NormSource, Opcode, StoreSource

__all__ = ["FieldRule", "field_rules"]


class FieldRule(NamedTuple):
    """least <= value <= most, where these are given, and a multiple of `unit`, a power of two. behind: a field that is
    added to the value before it is compared with `most`."""

    least: int = 0
    most: int | None = None
    unit: int = 1
    behind: str | None = None


_BLOCK = BURST_BEATS * PORT_BYTES
_WORD = 8  # bytes of the narrowest of the vectors' words
_ALIGNED = FieldRule(unit=PORT_BYTES)
_NONE = FieldRule(most=0)


def field_rules(build: BuildParameters) -> dict[Opcode, Mapping[str, FieldRule]]:
    """The rules of a build's fabric, by operation and field. A field that is not named may have any value.

    `grouped` and `normed` are the emulator's alone.
    """
    rows = {"rows": FieldRule(least=1, most=build.slots, behind="first_row")}
    dim = FieldRule(least=HEAD_UNIT, most=build.head_dim_max, unit=HEAD_UNIT)
    heads = FieldRule(least=1, most=build.heads_max)
    channels = FieldRule(least=CHANNEL_UNIT, most=build.inputs_max, unit=CHANNEL_UNIT)
    hidden = channels._replace(most=build.hidden_max)
    striped = FieldRule(unit=build.stream_align)
    of_heads = {**rows, "dim": dim, "heads": heads}
    cache = {**of_heads, **dict.fromkeys(("address", "address_stride", "scale_address", "block_bytes", "head_bytes",
                                          "region_bytes", "scale_block_bytes"), _ALIGNED)}
    return {
        Opcode.STREAM: {"address": FieldRule(unit=_BLOCK), "beats": FieldRule(least=BURST_BEATS, unit=BURST_BEATS),
                        "listed": FieldRule(most=SHORTLIST), "row": FieldRule(most=build.slots - 1),
                        "row_beats": FieldRule(most=-(-build.hidden_max // build.beat_bytes))},
        Opcode.LOAD: {"address": _ALIGNED, "address_stride": _ALIGNED, "target": FieldRule(most=max(LoadTarget)),
                      "bytes": FieldRule(least=_WORD), "row": FieldRule(most=build.slots - 1)},
        Opcode.MATMUL: {**rows, "tiles": FieldRule(least=1), "outputs": FieldRule(least=1),
                        "batches": FieldRule(least=1, most=build.row_batches), "grouped": _NONE},
        Opcode.NORM: {**rows, "count": channels, "source": FieldRule(most=max(NormSource))},
        Opcode.QUERY: {**of_heads, "normed": _NONE},
        Opcode.KEY: {**cache, "normed": _NONE},
        Opcode.VALUE: cache,
        Opcode.RESIDUAL: {**rows, "count": hidden},
        Opcode.ATTEND: {**of_heads, "kv_heads": heads, "row_bytes": _ALIGNED, "block_bytes": _ALIGNED,
                        **dict.fromkeys(("key_scales", "values", "head_bytes", "region_bytes"), striped)},
        Opcode.LOGITS: {"rows": FieldRule(least=1, most=build.head_rows),
                        "first_row": FieldRule(most=build.slots - 1), "count": hidden,
                        "vocab": FieldRule(least=1), "k": FieldRule(least=1, most=build.top_k), "logits": _ALIGNED,
                        "top": _ALIGNED, "grouped": _NONE},
        Opcode.SELECT: {**rows, "count": FieldRule(least=1), "k": FieldRule(least=1, most=SHORTLIST)},
        Opcode.STORE: {**rows, "count": channels, "source": FieldRule(most=max(StoreSource)), "address": _ALIGNED,
                       "steps": _ALIGNED},
    }
