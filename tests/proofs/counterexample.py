"""What came in before a claim was broken, replayed in Amaranth's simulator: waves of all signals."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from amaranth.back import rtlil
from amaranth.sim import Simulator

from tests.proofs.claims import Claims, Proof
from tests.proofs.prover import graph_script, run_yosys

__all__ = ["Counterexample", "counterexample"]


class Counterexample:
    """inputs: of each cycle the free inputs by name, the last cycle being that in which the rule's net is high."""

    def __init__(self, claims: Claims, inputs: list[dict[str, int]]) -> None:
        self._claims, self.inputs = claims, inputs

    def write_waves(self, path: Path) -> None:
        """A VCD file, a cycle each 4 ns."""
        simulator = Simulator(self._claims)
        simulator.add_clock(4e-9)
        by_name = {signal.name: signal for signal in self._claims.inputs}

        async def feed(ctx) -> None:
            for cycle in self.inputs:
                for name, value in cycle.items():
                    ctx.set(by_name[name], value)
                await ctx.tick()

        simulator.add_testbench(feed)
        with simulator.write_vcd(str(path)):
            simulator.run()


def counterexample(proof: Proof, rule: str, cycle: int) -> Counterexample:
    """What breaks a claim, or reaches what must be possible, in a cycle that `prove` named."""
    claims = _made(proof)
    number = [r.name for r in claims.rules].index(rule)
    design = rtlil.convert(claims, ports=claims.ports, emit_src=False)
    script = graph_script(f"read_aiger,graph.aig;cone,-a,-O,{number};bmc3,-F,{cycle + 2};write_status,found.status")
    with tempfile.TemporaryDirectory() as folder:
        run_yosys(Path(folder), design, script)
        found, _, bits, *_ = (Path(folder) / "found.status").read_text().splitlines()
        places = _inputs((Path(folder) / "graph.map").read_text())
    width = len(bits) // (int(found.split()[-1]) + 1)  # the frame: as early as it can be, not that of the proof
    inputs = []
    for start in range(0, len(bits), width):
        values: dict[str, int] = defaultdict(int)
        for place, (name, bit) in places.items():
            values[name] |= int(bits[start + place]) << bit
        inputs.append({signal.name: values[signal.name] for signal in claims.inputs})
    return Counterexample(_made(proof), inputs)


def _made(proof: Proof) -> Claims:
    claims = Claims()
    proof.make(claims)
    return claims


def _inputs(graph_map: str) -> dict[int, tuple[str, int]]:
    """Of each input of the graph, its signal's name and bit."""
    lines = (line.split() for line in graph_map.splitlines())
    return {int(words[1]): (words[3], int(words[2])) for words in lines if words[0] == "input"}
