"""Sequences of scalar operations as states of an FSM."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from hw.arith.scalar_unit import ScalarOp

__all__ = ["ScalarSteps"]


class ScalarSteps:
    """Adds states, one a scalar operation, to the FSM that is open around the call.

    The port is a `ScalarPort`. A state drives its operands, waits for the result, writes it to the
    target register and goes on; a chain of states therefore reads like the formula it computes.
    """

    def __init__(self, m: Module, port) -> None:
        self._m = m
        self._port = port
        self._waiting = Signal()

    def state(self, name: str, target, op: ScalarOp, *, a=0, b=0, n: Value | int = 0, then) -> None:
        """State `name`: target = op(a, b, n). `then`: next state's name, or a function that sets `m.next`."""
        m, operands, result = self._m, self._port.operands, self._port.result
        with m.State(name):
            m.d.comb += [
                operands.p.op.eq(op),
                Value.cast(operands.p.a).eq(a),
                Value.cast(operands.p.b).eq(b),
                operands.p.n.eq(n),
                operands.valid.eq(~self._waiting),
                result.ready.eq(self._waiting),
            ]
            with m.If(operands.valid & operands.ready):
                m.d.sync += self._waiting.eq(1)
            with m.If(result.valid & result.ready):
                m.d.sync += [self._waiting.eq(0), Value.cast(target).eq(Value.cast(result.p))]
                if callable(then):
                    then()
                else:
                    m.next = then
