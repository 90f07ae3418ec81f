# amaranth: UnusedElaboratable=no
"""Sums of many terms, one a cycle: odd counts, a single term, the largest sums either way."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.arith.adder_tree import AdderTree
from tests.hw.cycle_table import check_cycles

COUNTS = (1, 2, 5, 7, 16)


class Trees(wiring.Component):
    """A tree of signed and one of unsigned terms for each count."""

    def __init__(self):
        shapes = {"signed": signed(6), "plain": 6}
        self.trees = {f"{kind}_{n}": AdderTree(shape, n) for kind, shape in shapes.items() for n in COUNTS}
        super().__init__({name: Out(tree.signature) for name, tree in self.trees.items()})

    def elaborate(self, platform) -> Module:
        m = Module()
        for name, tree in self.trees.items():
            m.submodules[name] = tree
            outer = getattr(self, name)
            m.d.comb += [tree.terms.eq(outer.terms), outer.total.eq(tree.total)]
        return m


def test_sums():
    rng, cycles, unit = np.random.default_rng(1), 60, Trees()
    inputs, outputs = {}, {}
    for name, tree in unit.trees.items():
        count = int(name.rpartition("_")[2])
        low, high = (-32, 32) if name.startswith("signed") else (0, 64)
        terms = rng.integers(low, high, (cycles, count))
        terms[:2] = [[low], [high - 1]]
        inputs[f"{name}__terms"] = terms.tolist()
        outputs[f"{name}__total"] = [None] * tree.latency + terms.sum(axis=1)[:cycles - tree.latency].tolist()
    check_cycles(unit, inputs=inputs, outputs=outputs)


def test_counts_are_checked():
    with pytest.raises(ValueError, match="a sum has at least one term, got 0"):
        AdderTree(4, 0)
