"""Tables of what campaigns found, for the terminal and for docs/testing.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked
from scripts.verify.inject.campaign import Case, tallies
from scripts.verify.inject.damaged import OTHER, RIGHT, Damaged

__all__ = ["damaged_json", "damaged_table", "faults_json", "faults_table", "link_table", "record"]

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "testing.md"
_PORT = re.compile(r", port ([0-9])")
_WAY = re.compile(", to the (?:board|host)$")


def faults_table(cases: Sequence[Case]) -> str:
    """A row a kind, ports together."""
    rows, ports = {}, {}
    for kind, tally in tallies(cases).items():
        name = _PORT.sub("", kind)
        ports.setdefault(name, []).extend(_PORT.findall(kind))
        sums = rows.setdefault(name, [0] * 6)
        counts = (tally.cases, tally.acted, tally.named, tally.harmless, tally.restless, len(tally.findings))
        rows[name] = [total + count for total, count in zip(sums, counts, strict=True)]
    total = ["all", "", *(f"{sum(column):,}" for column in zip(*rows.values(), strict=True))]
    body = [[name, " ".join(ports[name]), *(f"{count:,}" for count in counts)] for name, counts in rows.items()]
    return markdown_table(["injected", "ports", "cases", "acted", "named", "no error due, token right",
                           "memory still owed answers", "findings"], [*body, total])


def link_table(cases: Sequence[Case]) -> str:
    """A row a kind, both ways together."""
    rows: dict[str, list[int]] = {}
    for kind, tally in tallies(cases).items():
        sums = rows.setdefault(_WAY.sub("", kind), [0] * 5)
        counts = (tally.cases, tally.acted, tally.harmless, tally.named, len(tally.findings))
        sums[:] = [total + count for total, count in zip(sums, counts, strict=True)]
    total = ["all", *(f"{sum(column):,}" for column in zip(*rows.values(), strict=True))]
    body = [[name, *(f"{count:,}" for count in counts)] for name, counts in rows.items()]
    return markdown_table(["on the line", "cases", "acted", "healed", "named", "findings"], [*body, total])


def faults_json(cases: Sequence[Case], **settings: object) -> dict[str, object]:
    """Everything, for `--json`."""
    found = tallies(cases)
    return {**settings, "cases": len(cases), "acted": sum(tally.acted for tally in found.values()),
            "several_rows": sum("rows" in case.form for case in cases),
            "with_stops": sum("stops" in case.form for case in cases),
            "findings": [line for tally in found.values() for line in tally.findings],
            "kinds": {kind: {"cases": tally.cases, "acted": tally.acted, "named": tally.named,
                             "harmless": tally.harmless, "findings": len(tally.findings)}
                      for kind, tally in found.items()}}


def damaged_table(cases: Sequence[Damaged]) -> str:
    """A row an ending: of how many the host's check would have refused the program."""
    rows = []
    for ending, count in Counter(case.ending for case in cases).most_common():
        mine = [case for case in cases if case.ending == ending]
        refused = sum(case.checked is not None for case in mine)
        rows.append([ending, f"{count:,}", f"{refused:,}", f"{sum(case.finding is not None for case in mine):,}"])
    total = [f"{sum(case.checked is not None for case in cases):,}",
             f"{sum(case.finding is not None for case in cases):,}"]
    return markdown_table(["how it ended", "programs", "of them the host's check refuses", "findings"],
                          [*rows, ["all", f"{len(cases):,}", *total]])


def damaged_json(cases: Sequence[Damaged], **settings: object) -> dict[str, object]:
    """Everything, for `--json`."""
    endings = Counter(case.ending for case in cases)
    return {**settings, "cases": len(cases), "endings": dict(endings), "done": endings[RIGHT] + endings[OTHER],
            "refused_by_the_host": sum(case.checked is not None for case in cases),
            "findings": [f"case {case.number}, {case.what}: {case.finding}" for case in cases if case.finding]}


def record(campaign: str, board: str, text: str) -> None:
    """Write a table into docs/testing.md."""
    mark = f"{campaign} {board}: written by scripts.verify.inject --record"
    rewrite_marked(_DOCUMENT, f"<!-- {mark} -->", f"<!-- {campaign} {board}: end -->", lambda _: text)
