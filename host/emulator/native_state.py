"""The compiled machine's state, one table: its structure here and its header in C come from it."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int8, c_int16, c_int32, c_int64, c_uint8
from typing import Any

from models.machine.registers import SEQUENCES

__all__ = ["MachineState", "NativeScalar", "state_header"]


class NativeScalar(ctypes.Structure):
    """`scalar` of numbers.h."""

    _fields_ = [("m", c_int64), ("e", c_int64)]


_TYPES: dict[str, Any] = {"int8_t": c_int8, "int16_t": c_int16, "int32_t": c_int32, "int64_t": c_int64,
                          "uint8_t": c_uint8, "scalar": NativeScalar, "tap_channel": c_uint8}

_FIELDS = (  # a name with [SEQUENCES] is an array
    ("memory", "uint8_t *", "the program's buffer, seen by descriptors at address `base`"),
    ("size", "int64_t", "of it, bytes"),
    ("base", "int64_t", ""),
    ("positions[SEQUENCES]", "int64_t", "tokens in the cache of each sequence"),
    ("kv_bits", "int64_t", ""),
    ("outputs_per_step", "int64_t", ""),
    ("top_k", "int64_t", ""),
    ("cache_ports", "int64_t", "the cache's beats are striped over so many ports; 0: its rows are contiguous"),
    ("row_sums", "int64_t", "accumulators of a row"),
    ("group_bytes", "int64_t", "activations of one row: a multiple of TRITS * BLOCK"),
    ("exp2_coarse", "const int64_t *", ""),
    ("exp2_fine", "const int64_t *", ""),
    ("sigmoid", "const int64_t *", "of each segment its lower end and, from bit 32 on, its rise"),
    ("constants", "const scalar *", "enum constant"),
    ("residual", "int32_t *", "[rows][count]"),
    ("activations", "int8_t *", "see BLOCK"),
    ("activation_sums", "int32_t *", ""),
    ("inputs", "int64_t *", "channels of a row's activations"),
    ("live_inputs", "int64_t *", "of them that are not zero"),
    ("head_input", "int16_t *", "[rows of a LOGITS][count]"),
    ("unit", "scalar *", "[rows]"),
    ("sums", "int32_t *", ""),
    ("planes", "int32_t *", "sums over columns, strip by strip: columns.h"),
    ("queries", "int16_t *", ""),
    ("query_scales", "scalar *", ""),
    ("attention", "int32_t *", ""),
    ("attention_exponents", "int64_t *", ""),
    ("scores", "int32_t *", "logits of a row where they are not asked for: [rows][vocab]"),
    ("list_scores", "int64_t *", "shortlists: [rows][SHORTLIST]"),
    ("list_ids", "int64_t *", ""),
    ("list_sizes", "int64_t *", ""),
    ("wide", "int64_t *", "scratch: [threads][wide_channels]"),
    ("wide_channels", "int64_t", ""),
    ("parts", "int64_t *", "[threads][FINDINGS]"),
    ("counts", "int64_t *", "[threads][COUNTERS]"),
    ("angles", "int16_t *", "rotary vectors: [rows][dim]"),
    ("affine", "tap_channel *", "taps loaded without clip and threshold: [channels]"),
    ("gains", "const int16_t *", "this and what follows is set while running"),
    ("rope", "const int16_t *", ""),
    ("taps", "const tap_channel *", ""),
    ("failure", "int64_t", "enum failure"),
)


def _member(declarator: str, kind: str) -> tuple[str, Any]:
    """A member's name and type for ctypes."""
    of = _TYPES[kind.removeprefix("const ").removesuffix(" *")]
    name, array, _ = declarator.partition("[")
    return name, POINTER(of) if kind.endswith("*") else of * SEQUENCES if array else of


class MachineState(ctypes.Structure):
    """`machine` of state.h."""

    _fields_ = [_member(declarator, kind) for declarator, kind, _ in _FIELDS]


def state_header() -> str:
    """state.h of the kernels."""
    lines = ["/* The machine's state. Written by scripts.write_operations from host/emulator/native_state.py. */",
             "#pragma once", "", "typedef struct {"]
    for name, kind, meaning in _FIELDS:
        space = "" if kind.endswith("*") else " "
        lines.append(f"    {kind}{space}{name};{f' /* {meaning} */' if meaning else ''}")
    return "\n".join([*lines, "} machine;"]) + "\n"
