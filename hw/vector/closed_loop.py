"""The closed loop behind a residual addition: a row's dot product with a direction, its distance to a setpoint."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.vector.word_tap import WordTap, tap_products
from models.machine.descriptor import Loop

__all__ = ["LOOP_SETTINGS", "ClosedLoop"]

_SETPOINT_BITS, _ERROR_BITS = 61, 62

LOOP_SETTINGS = data.StructLayout({"acts": 2, "setpoint": signed(_SETPOINT_BITS), "words": 16})
"""`acts`: a `Loop`, NONE for no loop; `words`: of a row."""

_WORD = data.StructLayout({"valid": 1, "last": 1})


class ClosedLoop(wiring.Component):
    """setpoint - direction·h of a row that goes through the tap; where it acts, the row once more, with its factor.

    Contract: golden `closed_loop` (docs/numerics.md §14). While the first pass' words enter the tap, told on
    `entering`, their `products` are summed. Then either `idle_row` pulses, where the loop does not act, or `again` has
    the row's words go through the addition once more, with nothing to add, and through the tap with `second`, the
    settings `rho` and `mirrored`; `written` is to pulse with the row's last word. `settings` hold still throughout.

    Widths: a product is 46 bits and a sign, four of them signed(49), the distance signed(62) for up to 2**14 channels.
    Each is added as its bits or their complement, whose missing ones go into the next sums' carries. From the last
    word's entry to the second pass: WordTap.PRODUCT_LATENCY + 10 + log2(lanes) cycles.
    """

    def __init__(self, lanes: int) -> None:
        self._levels = exact_log2(lanes)  # of the tree over a word's products
        super().__init__({
            "settings": In(LOOP_SETTINGS),
            "entering": In(_WORD),
            "products": In(tap_products(lanes)),
            "scalar": Out(ScalarPort()),
            "again": Out(_WORD),
            "second": Out(1),
            "rho": Out(SCALAR),
            "mirrored": Out(1),
            "idle_row": Out(1),
            "written": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        error, summed = self._sum(m)
        size, left = Signal(_ERROR_BITS - 1, reset_less=True), Signal(16, reset_less=True)
        below = ~error[-1]
        acts = Mux(below, self.settings.acts != Loop.ABOVE, self.settings.acts != Loop.BELOW)
        scalars = ScalarSteps(m, self.scalar)
        with m.FSM():
            with m.State("SUMMING"), m.If(summed):
                m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += [size.eq(Mux(below, error, -error)), self.mirrored.eq(error[-1]),
                             left.eq(self.settings.words)]
                m.next = "SCALE"
                with m.If(~acts):
                    m.d.comb += self.idle_row.eq(1)
                    m.next = "SUMMING"
            scalars.state("SCALE", self.rho, ScalarOp.FROM_INT, n=size, then="READY")
            with m.State("READY"):  # the settings reach the tap before the words
                m.d.sync += self.second.eq(1)
                m.next = "AGAIN"
            with m.State("AGAIN"):
                m.d.comb += [self.again.valid.eq(1), self.again.last.eq(left == 1)]
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.next = "WRITING"
            with m.State("WRITING"), m.If(self.written):
                m.d.sync += self.second.eq(0)
                m.next = "SUMMING"
        return m

    def _sum(self, m: Module) -> tuple[Value, Value]:
        """The setpoint less all products of a row, and whether it stands."""
        added = WordTap.PRODUCT_LATENCY + self._levels  # from a word's entry to its sum
        steps = [Signal(_WORD, name="coming")]
        m.d.comb += steps[0].eq(self.entering)
        for n in range(added + 1):
            steps.append(Signal(_WORD, name=f"coming_{n}"))
            m.d.sync += steps[-1].eq(steps[-2])
        terms = [(Cat(product.size ^ (~product.negative).replicate(len(product.size)), ~product.negative).as_signed(),
                  ~product.negative) for product in self.products]
        while len(terms) > 1:
            sums = []
            for (a, one), (b, other) in zip(terms[::2], terms[1::2], strict=True):
                part, rest = Signal(signed(len(a) + 1), reset_less=True), Signal(reset_less=True)
                m.d.sync += [part.eq(_carried(a, b, one)), rest.eq(other)]
                sums.append((part, rest))
            terms = sums
        (total, rest), = terms
        error, first = Signal(signed(_ERROR_BITS), reset_less=True), Signal(init=1)
        adding = steps[added]
        with m.If(adding.valid):
            m.d.sync += [error.eq(_carried(Mux(first, self.settings.setpoint, error), total, rest)),
                         first.eq(adding.last)]
        return error, steps[-1].valid & steps[-1].last


def _carried(a: Value, b: Value, carry: Value) -> Value:
    """a + b + carry in one chain of carries."""
    return (Cat(carry, a).as_signed() + Cat(carry, b).as_signed())[1:].as_signed()
