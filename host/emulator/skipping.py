"""Which products of a program may leave something out, from what becomes of their sums.

A product whose sums only a gated product takes, as `up`, may leave out rows of weights whose gate is zero, where the
gate's sums are there before it, output by output, and none of its rows is left for a later program. One whose sums are
only added to the residual may leave out columns whose inputs are zero: such a product gets a second copy of its
weights, so others do not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from host.emulator.accumulators import written_sums
from host.emulator.native_operation import Live
from models.machine.descriptor import Descriptor, NormSource, Opcode, StoreSource

__all__ = ["Skip", "skips_of"]


class Skip(NamedTuple):
    """What a product leaves out; norm: with `Live.ROWS`, the one that takes its sums."""

    live: Live
    norm: Descriptor | None = None


class _Use(NamedTuple):
    """Sums first .. end - 1 of a descriptor's rows, and what they are to it."""

    first: int
    end: int
    what: str


def skips_of(program: Sequence[Descriptor], outputs_per_step: int) -> dict[int, Skip]:
    """By place in a program: of each product that leaves something out, what."""
    uses = [list(_uses(descriptor, outputs_per_step)) for descriptor in program]
    products = _Products(program, uses)
    for index, descriptor in enumerate(program):
        for use in uses[index]:
            products.take(index, descriptor, use, uses[index][0])
    return dict(products.skips())


def _uses(d: Descriptor, size: int) -> Iterator[_Use]:
    """Of the accumulators, by words of `size` sums: what a descriptor reads and writes."""
    if d.opcode == Opcode.MATMUL:
        first = d.accumulator * size
        yield _Use(first, first + written_sums(d.outputs, d.padding, size), "written")
    elif d.opcode == Opcode.NORM and d.source == NormSource.GATED:
        yield _Use(d.gate_accumulator * size, d.gate_accumulator * size + d.count, "gate")
        yield _Use(d.up_accumulator * size, d.up_accumulator * size + d.count, "up")
    elif d.opcode in (Opcode.QUERY, Opcode.KEY, Opcode.VALUE):
        yield _Use(d.accumulator * size, d.accumulator * size + d.heads * d.dim, "other")
    elif d.opcode == Opcode.SELECT or (d.opcode == Opcode.STORE and d.source == StoreSource.SUMS):
        yield _Use(d.accumulator * size, d.accumulator * size + d.count, "other")
    elif d.opcode == Opcode.RESIDUAL:
        yield _Use(d.accumulator * size, d.accumulator * size + d.count, "residual")


class _Products:
    """Follows who wrote which sums, on a grid of the places where uses begin and end."""

    def __init__(self, program: Sequence[Descriptor], uses: Sequence[Sequence[_Use]]):
        self._program = program
        using = [(d, use) for d, of in zip(program, uses, strict=True) for use in of]
        self._rows = sorted({row for d, _ in using for row in (d.first_row, d.first_row + d.rows)})
        self._sums = sorted({edge for _, use in using for edge in (use.first, use.end)})
        self._owner = np.full((len(self._rows), len(self._sums)), -1)
        self._readers: dict[int, list[tuple[Descriptor, str]]] = {}
        self._before: dict[int, np.ndarray] = {}  # owners when a product was run
        self._late: set[int] = set()  # products that ran before their gate's
        self._untaken: dict[int, np.ndarray] = {}  # which rows of a product nothing took so far

    def take(self, index: int, d: Descriptor, use: _Use, gate: _Use) -> None:
        """One use, in the program's order. gate: that of the same descriptor, where the use is of `up`."""
        part = self._part(d, use)
        if use.what == "written":
            self._before[index] = self._owner.copy()
            self._owner[part] = index
            self._readers[index] = []
            self._untaken[index] = np.zeros(len(self._rows), bool)
            self._untaken[index][part[0]] = True
            return
        for owner in np.unique(self._owner[part]).tolist():
            if owner < 0:
                continue
            self._readers[owner].append((d, use.what))
            self._untaken[owner][part[0]] = False
            if use.what == "up":
                at = self._part(d, gate)
                if (self._before[owner][at] != self._owner[at]).any():
                    self._late.add(owner)

    def skips(self) -> Iterator[tuple[int, Skip]]:
        """What `skips_of` finds."""
        for index, readers in self._readers.items():
            norms = {(d.up_accumulator, d.gate_accumulator, d.gate_scale, d.activation)
                     for d, what in readers if what == "up"}
            if {what for _, what in readers} == {"residual"}:
                yield index, Skip(Live.COLUMNS)
            elif ({what for _, what in readers} == {"up"} and len(norms) == 1 and index not in self._late
                  and readers[0][0].up_accumulator == self._program[index].accumulator
                  and not self._untaken[index].any()):
                yield index, Skip(Live.ROWS, readers[0][0])

    def _part(self, d: Descriptor, use: _Use) -> tuple[slice, slice]:
        rows, sums = self._rows, self._sums
        return (slice(bisect_left(rows, d.first_row), bisect_left(rows, d.first_row + d.rows)),
                slice(bisect_left(sums, use.first), bisect_left(sums, use.end)))
