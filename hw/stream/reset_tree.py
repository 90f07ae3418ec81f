"""A component's reset through a tree of registers, so that no net has to reach all of its own in one cycle."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Fragment, Module, Signal

from hw.stream.kept import KEPT

__all__ = ["RESET_LATENCY", "SHORTEST_RESET", "ResetTree"]

RESET_LATENCY = 2
"""Cycles by which the reset of a component behind a tree is later than the one it is given; of one in two, twice."""

SHORTEST_RESET = RESET_LATENCY + 2
"""Cycles that a reset from outside must last: valid outputs behind a tree fall while it does, as AXI wants it. Boards'
reset controllers hold 16."""

_LOADS = 500  # of a leaf: it may have more where one unit alone has


class ResetTree(DomainRenamer):
    """`ResetTree(name)(component)` is the component, reset RESET_LATENCY cycles late and released as late.

    A register that the reset sets, and behind it one for every few hundred bits with a reset, unit by unit; each drives
    the reset of a domain of its own, `name_0` and so on, on the same clock. Between the two nothing may be asked of the
    component: it has the answers of one that is idle, and forgets. `ResetInserter` around it resets all of it likewise.
    name: unlike that of any tree around or inside.
    """

    def __init__(self, name: str) -> None:
        super().__init__({})
        self._name = name

    def on_fragment(self, fragment: Fragment) -> Fragment:
        """The fragment with its tree beside it."""
        leaves: list[int] = []  # how many bits each resets
        spread = self._spread(fragment, leaves)
        m = Module()
        root = Signal(init=1)
        m.d.sync += root.eq(0)
        for number in range(len(leaves)):
            domain = ClockDomain(self._leaf(number), local=True)
            domain.rst = leaf = Signal(name=f"reset_{number}", init=1, reset_less=True, attrs=KEPT)
            m.d.sync += leaf.eq(root)
            m.d.comb += domain.clk.eq(ClockSignal())
            spread.add_domains(domain)
        spread.add_subfragment(Fragment.get(m, None), "reset_tree")
        return spread

    def _leaf(self, number: int) -> str:
        return f"{self._name}_{number}"

    def _spread(self, fragment: Fragment, leaves: list[int]) -> Fragment:
        """A copy with the registers of each unit in a leaf's domain; several units share one."""
        driven = {id(signal): signal for statement in fragment.statements.get("sync", ())
                  for signal in statement._lhs_signals()}
        bits = sum(len(signal) for signal in driven.values() if not signal.reset_less)
        if not leaves or leaves[-1] + bits > _LOADS:
            leaves.append(0)
        leaves[-1] += bits
        copy = _Alone(self._leaf(len(leaves) - 1))(fragment)
        for part, name, src_loc in fragment.subfragments:
            copy.add_subfragment(self._spread(part, leaves), name, src_loc=src_loc)
        return copy


class _Alone(DomainRenamer):
    """Renames a fragment's domain, without what is inside it."""

    def map_subfragments(self, fragment: Fragment, new_fragment: Fragment) -> None:
        """Leave them to the caller."""

