"""Small units in Amaranth's own simulator, whose start costs less than a build by Verilator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

__all__ = ["run", "watch"]


def run(unit: wiring.Component, bench: Callable) -> None:
    """One testbench, an `async` function of the simulator's context, on a unit out of reset."""
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def watch(unit: wiring.Component, cycles: Iterable[Mapping[str, int]], outputs: Iterable[str]) -> list[dict[str, int]]:
    """Outputs in each cycle, in which the inputs named have their values and all others those of before, 0 at first."""
    names, seen = list(outputs), []

    async def bench(ctx) -> None:
        for given in cycles:
            for name, value in given.items():
                ctx.set(Value.cast(getattr(unit, name)), value)
            seen.append({name: ctx.get(Value.cast(getattr(unit, name))) for name in names})
            await ctx.tick()

    run(unit, bench)
    return seen
