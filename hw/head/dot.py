"""Dot products of vocabulary rows with the activations of all rows of the build, a beat a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.adder_tree import AdderTree
from hw.arith.multiply_add import registered_product

__all__ = ["HeadDot"]

WEIGHT_BITS, ACTIVATION_BITS = 8, 16
_PRODUCT_BITS = WEIGHT_BITS + ACTIVATION_BITS
_PRODUCT_STEPS = 2  # operands, product


class HeadDot(wiring.Component):
    """sums[r] = sum over a row's beats of weights . activations[r], exact.

    `valid` with `first` and `last`: `weights` is a beat of `lanes` int8, and `activations` (of the cycle
    after, as the activation memory gives them) the int16 values it meets, per row of the build. `o_valid`:
    for one cycle, `latency` cycles after the last beat. No backpressure.

    Widths: products signed(24), sums signed(24 + ceil(log2 length_max)), enough for any int8 and int16.
    Golden: the sums in `head.logits`, docs/numerics.md §10.
    """

    def __init__(self, lanes: int, rows: int, length_max: int) -> None:
        if length_max < lanes:
            raise ValueError(f"vectors of at most {length_max} do not fill {lanes} lanes")
        self._lanes, self._rows = lanes, rows
        self._trees = [AdderTree(signed(_PRODUCT_BITS), lanes) for _ in range(rows)]
        self.sum_bits = _PRODUCT_BITS + ceil_log2(length_max)
        self.latency = 1 + _PRODUCT_STEPS + self._trees[0].latency + 1
        super().__init__({
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "weights": In(data.ArrayLayout(signed(WEIGHT_BITS), lanes)),
            "activations": In(data.ArrayLayout(data.ArrayLayout(signed(ACTIVATION_BITS), lanes), rows)),
            "o_valid": Out(1),
            "sums": Out(data.ArrayLayout(signed(self.sum_bits), rows)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        flags = data.StructLayout({"valid": 1, "first": 1, "last": 1})
        stage = Signal(flags, name="flags")
        m.d.comb += [stage.valid.eq(self.valid), stage.first.eq(self.first), stage.last.eq(self.last)]
        for n in range(self.latency - 1):
            before, stage = stage, Signal(flags, name=f"flags_{n}")
            m.d.sync += stage.eq(before)
        m.d.sync += self.o_valid.eq(stage.valid & stage.last)

        arrived, weights = (Signal(self.weights.shape(), reset_less=True, name=name) for name in ("arrived", "weights"))
        m.d.sync += [arrived.eq(self.weights), weights.eq(arrived)]
        for row, tree in enumerate(self._trees):
            m.submodules[f"tree_{row}"] = tree
            activations = Signal(self.activations[row].shape(), name=f"activations_{row}", reset_less=True)
            m.d.sync += activations.eq(self.activations[row])
            for lane in range(self._lanes):
                m.d.comb += tree.terms[lane].eq(registered_product(m, platform, weights[lane], activations[lane]))
            with m.If(stage.valid):
                m.d.sync += self.sums[row].eq(tree.total + Mux(stage.first, 0, self.sums[row]))
        return m
