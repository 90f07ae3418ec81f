"""What `evaluate_lqr` measured, as docs/steering.md shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["page"]

_NAMES = {"scripture": "scripture", "austen": "Austen"}


def page(found: Mapping[str, Any]) -> str:
    """Tracking, the moved setpoint, alignment by size and by layer. found: what the command prints with --json."""
    shares = ", ".join(f"{100 * share:.0f}" for share in found["closed"])
    parts = [f"Share of the distance that the loop closes behind each layer (v·k): {shares} %. "
             f"{found['windows']} windows of {found['tokens']} held-out tokens of either manner.",
             _tracked(found["tracked"]),
             "*The setpoint moves in the middle of a window*, from the other manner's mean to the target's; v·h behind "
             "the last layer, counted from the move:",
             _switched(found["switched"]),
             f"*Alignment*: {found['probes']} held-out passages, {found['draws']} random changes of each size and "
             "layer; cosines with the emulator's own change. *Own*: the passage's Jacobian; *mean*: that of the gains; "
             "*identity*: a null. *Added*: the same for what the layer adds to the change.",
             _aligned(found["aligned"]["steps"], "step", "size, of ‖h‖", lambda size: f"{size:g}"),
             "By layer, at 0.1:",
             _aligned(found["aligned"]["layers"], "layer", "from layer", lambda n: f"{n} to {n + 1}")]
    return "\n\n".join(parts)


def _tracked(tracked: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| toward | setpoint | | error | mean v·h | energy |", "| --- " * 6 + "|"]
    for each in tracked:
        for n, row in enumerate(each["rows"]):
            start = (f"| {_NAMES[each['target']]} | {each['factor']:g}: {each['setpoint']:.1f}" if n == 0 else "| |")
            bold = "**" if row["name"] == "LQR" else ""
            lines.append(f"{start} | {row['name']} | {bold}{row['error']:.1f}{bold} | {row['mean']:.1f} "
                         f"| {row['energy']:.0f} |")
    return "\n".join(lines)


def _switched(switched: Sequence[Mapping[str, Any]]) -> str:
    spans = [row["span"] for row in switched[0]["rows"]]
    lines = ["| toward | setpoints | | " + " | ".join(spans) + " |", "| --- " * (3 + len(spans)) + "|"]
    for each in switched:
        for name in ("LQR", "constant"):
            first, then = each["setpoints"]
            start = f"| {_NAMES[each['target']]} | {first:.1f} → {then:.1f}" if name == "LQR" else "| |"
            lines.append(f"{start} | {name} | " + " | ".join(f"{row[name]:.1f}" for row in each["rows"]) + " |")
    return "\n".join(lines)


def _aligned(rows: Sequence[Mapping[str, float]], key: str, title: str, label) -> str:
    names = ("own", "mean", "identity", "own_added", "mean_added")
    lines = [f"| {title} | own | mean | identity | own, added | mean, added |", "| --- " * 6 + "|"]
    lines += [f"| {label(row[key])} | " + " | ".join(f"{row[name]:.2f}" for name in names) + " |" for row in rows]
    return "\n".join(lines)
