"""The descriptors of a pass as columns, and what is wrong with the first of them that is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, Field, Opcode
from models.machine.registers import SEQUENCES

__all__ = ["Fields", "ListedPass", "up"]

Fields = Mapping[str, np.ndarray]
"""Values by field, int64 [descriptors of the operation]."""


def up(value: np.ndarray, unit: int) -> np.ndarray:
    """The next multiple of `unit`."""
    return -(-value // unit) * unit


def _column(words: np.ndarray, field: Field) -> np.ndarray:
    """A field of every descriptor, int64 [n]. words: uint64 [n, 17]."""
    at, shift = divmod(field.offset, 32)
    both = words[:, at] | words[:, at + 1] << np.uint64(32)
    return (both >> np.uint64(shift) & np.uint64((1 << field.width) - 1)).astype(np.int64)


class ListedPass:
    """raw, build, base, size, context, sequences: as of `host.compiler.program_check.check_program`.

    header: columns of all descriptors. chosen: of each operation that is listed, which descriptors are of it, and
    their fields. tiles: whether matrices lie as the fabric reads them. end: of the buffer.
    """

    def __init__(self, raw: bytes | np.ndarray, build: BuildParameters, base: int, size: int, context: int,
                 sequences: int):
        self.build, self.base, self.end = build, base, base + size
        self.context, self.sequences = context, sequences
        self.tiles = build.packing == "tiles"
        self._first: tuple[int, str] | None = None
        words = np.pad(np.frombuffer(raw, "<u4").reshape(-1, DESCRIPTOR_BYTES // 4), ((0, 0), (0, 1)))
        words = words.astype(np.uint64)
        self.header = {field.name: _column(words, field) for field in HEADER}
        self.chosen: dict[Opcode, tuple[np.ndarray, Fields]] = {}
        known = np.zeros(len(words), bool)
        for opcode, made in OPCODES.items():
            mine = (self.header["opcode"] == opcode) & (self.header["engine"] == made.engine)
            known |= mine
            if mine.any():
                self.chosen[opcode] = np.flatnonzero(mine), {f.name: _column(words[mine], f) for f in made.fields}
        for index in np.flatnonzero(~known)[:1]:
            found = {name: int(self.header[name][index]) for name in ("opcode", "engine")}
            self.note(index, f"opcode {found['opcode']} for engine {found['engine']} is unknown")
        self.rows_of = self._rows_of_sequences()

    def note(self, index: int, what: str) -> None:
        """That a descriptor is wrong; the first in the list counts, and of it what was noted first."""
        if self._first is None or index < self._first[0]:
            self._first = int(index), what

    def refuse_noted(self) -> None:
        """`DeviceError` with what was noted, if anything was."""
        if self._first is not None:
            index, what = self._first
            names = {int(opcode): opcode.name for opcode in Opcode}
            name = names.get(int(self.header["opcode"][index]), "none")
            raise DeviceError(f"descriptor {index} of a program ({name}): {what}")

    def _rows_of_sequences(self) -> np.ndarray:
        """Of each sequence, the rows that the pass has."""
        rows = np.zeros(SEQUENCES, np.int64)
        for opcode in (Opcode.KEY, Opcode.VALUE, Opcode.ATTEND):
            if opcode in self.chosen:
                f = self.chosen[opcode][1]
                np.maximum.at(rows, f["sequence"], f["token"] + f["rows"])
        if Opcode.LOAD in self.chosen:
            f = self.chosen[Opcode.LOAD][1]
            strides = f["address_stride"]
            np.maximum.at(rows, f["sequence"], np.where(strides > 0, f["bytes"] // np.maximum(strides, 1), 0))
        return rows
