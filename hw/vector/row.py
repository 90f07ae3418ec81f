"""What the vector engine's units are told of the row that is worked on."""

from __future__ import annotations

from amaranth.lib import data

from hw.arith.scalar import SCALAR

__all__ = ["KIND", "ROW"]

KIND = data.StructLayout({
    "norming": 1,
    "adding": 1,
    "selecting": 1,
    "storing": 1,
    "heading": 1,  # QUERY, KEY or VALUE
    "rotating": 1,  # of these, not VALUE
    "caching": 1,  # of these, not QUERY
})
"""What the command does."""

ROW = data.StructLayout({
    "index": 8,
    "offset": 8,  # counted from first_row
    "base": 16,  # word of the row in the residual memory or in the rotary table
    "token": 16,
    # rows whose keys or values leave together: whether it is the first or the last of them
    "first": 1,
    "last": 1,
    "count": 16,  # sums of a row
    "accumulator": 16,  # the first of them; of a gated product, of its gate
    "unit": SCALAR,  # value of one unit of the row's input, before the command
    "scale": SCALAR,  # value of one unit of what is worked on
    "step": SCALAR,  # of heads: the scale over their levels
    "gate_scale": SCALAR,
})
