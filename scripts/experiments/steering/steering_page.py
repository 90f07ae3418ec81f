"""What `evaluate_steering` measured, as docs/steering.md shows it: the table of the sweep, the first samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE
from scripts.marked_text import rewrite_marked

__all__ = ["record", "samples", "table"]

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
DEFAULT = 0.2
SAMPLES = 3
_NAMES = {AUSTEN: "Austen", SCRIPTURE: "scripture"}
_WRITTEN = "written by scripts.experiments.steering.evaluate_steering --record"


def table(summary: Sequence[Mapping[str, Any]]) -> str:
    """A line for each target and strength; the default strength stands out."""
    lines = ["| toward | strength | shift | random, largest | shuffled, largest | ratio | judged | perplexity, Austen "
             "| perplexity, scripture |", "| --- " * 9 + "|"]
    for row in summary:
        bold = "**" if row["strength"] == DEFAULT else ""
        costs = f"× {row['perplexity_austen']:.2f} | × {row['perplexity_scripture']:.2f}"
        lines.append(
            f"| {_NAMES[row['target']]} | {bold}{row['strength']:g}{bold} | {row['shift']:+.2f} ± {row['error']:.2f} "
            f"| {row['random']:.2f} | {row['shuffled']:.2f} | {bold}{row['ratio']:.1f}{bold} "
            f"| {100 * row['success']:.0f} % | {costs} |")
    return "\n".join(lines)


def samples(prompts: Mapping[str, Sequence[str]], plain: Mapping[str, Sequence[str]],
            outcomes: Sequence[Mapping[str, Any]]) -> str:
    """By target the first prompts, and how the plain model and the first vector of each kind go on."""
    parts = []
    for target in (SCRIPTURE, AUSTEN):
        of = {"plain": plain[target]} | {
            o["kind"]: o["texts"] for o in outcomes
            if (o["target"], o["strength"], o["vector"]) == (target, DEFAULT, 0)}
        other = _NAMES[AUSTEN if target == SCRIPTURE else SCRIPTURE]
        parts.append(f"### {other.capitalize()} steered toward {_NAMES[target]}")
        for n in range(SAMPLES):
            lines = [f"| **{_line(prompts[target][n])} …** | |", "| --- | --- |"]
            parts.append("\n".join(lines + [f"| {kind} | …{_line(of[kind][n])} |"
                                            for kind in ("plain", "steered", "random", "shuffled")]))
    return "\n\n".join(parts)


def record(result: Mapping[str, Any]) -> None:
    """Write both into the page; `result`: what the command prints with --json."""
    for name, text in (("sweep", table(result["summary"])),
                       ("samples", samples(result["prompts"], result["plain"], result["outcomes"]))):
        rewrite_marked(DOCUMENT, f"<!-- {name}: {_WRITTEN} -->", f"<!-- {name}: end -->", lambda _, text=text: text)


def _line(text: str) -> str:
    """Line breaks as spaces, none of them doubled."""
    return text.replace("\n", " ").replace("|", "\\|").rstrip()
