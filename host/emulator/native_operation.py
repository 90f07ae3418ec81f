"""The compiled machine's operation, made from the table of operations: its structure here and its header in C.

An operation holds every field by its name (`models.machine.descriptor`), 0 where its descriptor has none, and pointers
in place of streams, which `host.emulator.linking` resolves.
"""

from __future__ import annotations

import ctypes
import re
import textwrap
from ctypes import POINTER, c_int8, c_int16, c_int64, c_uint8, c_uint32
from enum import IntEnum

from models.machine.build import SHORTLIST
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import OPCODES, STEP_BYTES, Descriptor, Opcode
from models.machine.registers import SEQUENCES

__all__ = ["TOP", "TURN", "Live", "NativeOperation", "operation_header"]

TOP, TURN = range(len(Opcode), len(Opcode) + 2)
"""Operations of the compiled machine alone: the second half of LOGITS, the best of each row; before a MATMUL that may
take columns, filling them."""

_POINTERS = {"weights": (POINTER(c_uint8), "const uint8_t *",
                         "[outputs][width], five trits a byte, all below 243, or grouped.h"),
             "head": (POINTER(c_int8), "const int8_t *", "[vocab][count]"),
             "head_scales": (POINTER(c_uint32), "const uint32_t *", "[vocab]"),
             "mantissas": (POINTER(c_int16), "const int16_t *", "[outputs][tiles] or [vocab][groups], where grouped"),
             "columns": (POINTER(c_uint8), "uint8_t *", "[places of inputs][column_bytes], of LIVE_COLUMNS: live.h"),
             "turned": (POINTER(c_int64), "int64_t *", "whether the columns have been filled")}
_OWN = {"width": "bytes of a row of weights",
        "product_first": "of the product that takes a norm's or a load's rows, perhaps with others: its first row",
        "product_rows": "and how many it takes",
        "live": "of MATMUL: enum live; with LIVE_ROWS the gate's fields are those of the norm that takes the sums",
        "column_bytes": "of the columns of a matrix",
        "row": "of LOAD: which row; of LOGITS: whose list gives the head's rows"}
_NUMBERS = {"STEP_BYTES": STEP_BYTES, "SEQUENCES": SEQUENCES, "SHORTLIST": SHORTLIST, "BLOCK_TOKENS": BLOCK_TOKENS}


_GIVEN = [field for op in OPCODES.values() if op.opcode != Opcode.STREAM for field in op.fields]
_FIELDS = [name for name in dict.fromkeys(field.name for field in _GIVEN) if name not in _OWN]


class Live(IntEnum):
    """`live` of machine.h: what a product may leave out, by a gate's zeros or by its inputs'."""

    ALL = 0
    ROWS = 1
    COLUMNS = 2


class NativeOperation(ctypes.Structure):
    """`operation` of operations.h."""

    _fields_ = [("opcode", c_int64), *((name, kind) for name, (kind, *_) in _POINTERS.items()),
                *((name, c_int64) for name in (*_OWN, *_FIELDS))]

    @classmethod
    def of(cls, descriptor: Descriptor) -> NativeOperation:
        """The fields of a descriptor; pointers are null."""
        fields = OPCODES[descriptor.opcode].fields
        return cls(opcode=descriptor.opcode, **{field.name: getattr(descriptor, field.name) for field in fields})


def operation_header() -> str:
    """operations.h of the kernels."""
    enumerations = dict.fromkeys(field.unit for field in _GIVEN if not isinstance(field.unit, str))
    lines = ["/* Operations and their fields, which models/machine/descriptor.py and host/emulator/native_operation.py",
             " * explain. Written by scripts.write_operations. */", "#pragma once", "",
             "#include <stdint.h>", "", _enumeration(Opcode, "", TOP=TOP, TURN=TURN),
             *(_enumeration(kind, f"{_words(kind)[0].upper()}_") for kind in enumerations),
             *(f"enum {{ {name} = {value} }};" for name, value in _NUMBERS.items()), "",
             "typedef struct {", "    int64_t opcode;",
             *(f"    {kind}{name}; /* {meaning} */" for name, (_, kind, meaning) in _POINTERS.items()),
             *(f"    int64_t {name}; /* {meaning} */" for name, meaning in _OWN.items()),
             *textwrap.wrap(f"int64_t {', '.join(_FIELDS)};", 120, initial_indent=" " * 4, subsequent_indent=" " * 8),
             "} operation;"]
    return "\n".join(lines) + "\n"


def _enumeration(kind: type[IntEnum], prefix: str, **more: int) -> str:
    values = {f"{prefix}{member.name}": int(member) for member in kind} | more
    text = f"enum {'_'.join(_words(kind)).lower()} {{ {', '.join(f'{n} = {v}' for n, v in values.items())} }};"
    return "\n".join(textwrap.wrap(text, 120, subsequent_indent=" " * 4))


def _words(kind: type[IntEnum]) -> list[str]:
    return re.findall("[A-Z][a-z]*", kind.__name__)
