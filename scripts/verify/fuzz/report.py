"""What a run of the fuzzers found: counts for a table, and a folder for each finding."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked
from scripts.verify.fuzz.outcome import FINE, REFUSED, Outcome

__all__ = ["Tally", "keep_finding", "record", "table"]

_HEAD = ("kind", "seed", "cases", "fine", "refused", "findings", "largest process, MB", "slowest case, s")
_START, _END = "<!-- fuzz: written by scripts.verify.fuzz --record -->", "<!-- fuzz: end -->"


@dataclass
class Tally:
    """Counts of one kind; slowest: seconds and number of a case."""

    seed: int
    verdicts: Counter[str] = field(default_factory=Counter)
    memory: int = 0
    slowest: tuple[float, int] = (0.0, 0)

    def add(self, case: int, outcome: Outcome) -> None:
        """Count one case."""
        self.verdicts[outcome.verdict] += 1
        self.memory = max(self.memory, outcome.memory)
        self.slowest = max(self.slowest, (outcome.seconds, case))

    @property
    def findings(self) -> int:
        """Cases in which something has to be mended."""
        return self.verdicts.total() - self.verdicts[FINE] - self.verdicts[REFUSED]

    def row(self, kind: str) -> tuple[str, ...]:
        """Of the table."""
        counts = self.verdicts.total(), self.verdicts[FINE], self.verdicts[REFUSED], self.findings
        return (kind, str(self.seed), *(f"{count:,}" for count in counts), f"{self.memory / 1e6:.0f}",
                f"{self.slowest[0]:.1f}")


def table(tallies: Mapping[str, Tally]) -> str:
    """Markdown, a row a kind."""
    return markdown_table(_HEAD, [tally.row(kind) for kind, tally in tallies.items()])


def keep_finding(target: Path, kind: str, seed: int, case: int, outcome: Outcome, files: Path) -> Path:
    """Copy the files of a case and write down how to see it again; returns the new folder."""
    folder = target / f"{kind}-{seed}-{case}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with suppress(OSError):  # what is no file cannot be copied
        shutil.copytree(files, folder / "case", symlinks=True)
    again = f"python -m scripts.verify.fuzz --kind {kind} --seed {seed} --case {case}"
    text = f"{outcome.verdict}\n{again}\nin case/: {outcome.command}\n\n{outcome.detail}\n"
    (folder / "finding.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    return folder


def record(path: Path, tallies: Mapping[str, Tally]) -> None:
    """Write the rows into the table of a document, between the two marks; rows of other kinds stay."""
    def body(before: str) -> str:
        lines = before.splitlines()[2:]
        rows = {cells[0]: cells for line in lines if len(cells := line.strip("| ").split(" | ")) > 1}
        return markdown_table(_HEAD, (rows | {kind: tally.row(kind) for kind, tally in tallies.items()}).values())

    rewrite_marked(path, _START, _END, body)
