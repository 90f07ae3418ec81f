"""A comparison of masks as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from host.pipeline.sparsity.at_percent import AtPercent
from host.pipeline.sparsity.comparison import Comparison, Missing, Pair, Row
from host.pipeline.sparsity.continuations import At
from host.pipeline.sparsity.kept_gates import KeptGates
from models.markdown import markdown_table

__all__ = ["comparison_page", "worse_than_random"]

_CONTROLS = ("random-per-token", "fixed-random", "plain")


def comparison_page(found: Comparison, followed: Sequence[At], percent: float | None) -> str:
    """Its tables, each with a line above it that says what it holds; those that are empty are left out."""
    parts = [_rows(found.rows), _missing(found.missing), _worse(found.rows)]
    if found.percent:
        parts.append(_percent(found.percent, percent or 0))
    parts += [_pairs(found.pairs), _kept(found.kept), _followed(followed)]
    return "\n\n".join(part for part in parts if part)


def worse_than_random(rows: Iterable[Row]) -> list[tuple[Row, Row]]:
    """Methods with the random-per-token row of their group and target whose perplexity is lower."""
    by_place: dict[tuple[str, float | None], list[Row]] = defaultdict(list)
    for row in rows:
        by_place[row.group, row.target].append(row)
    found = []
    for there in by_place.values():
        for random in (row for row in there if row.method == "random-per-token"):
            found += [(row, random) for row in there
                      if row.method not in _CONTROLS and row.over_plain > random.over_plain]
    return found


def _group(name: str) -> str:
    return name.replace(",", ", ")


def _rows(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    shown = []
    for row in rows:
        shown.append([
            _group(row.group), "–" if row.target is None else f"{row.target:g}", row.method, f"{row.zeros:.3f}",
            f"{row.layer_error:.3f}", "none" if row.perplexity is None else f"{row.perplexity:.2f}",
            f"× {row.over_plain:.3f}", f"{row.runs}{f', {row.cuts}' if row.cuts else ''}",
            f"{row.bytes_unread / 1000:.0f}" + (f" ({row.measured_unread / 1000:.0f})" if row.measured_unread else ""),
            "–" if row.tokens_per_s is None else f"{row.tokens_per_s:.0f} (× {row.of_dense:.2g})"])
    unread = f"kB unread of {rows[0].matrix_bytes / 1000:.0f}, modelled (measured)"
    return markdown_table(["sparse inputs", "asked for", "method", "zeros", "layer error", "perplexity", "over plain",
                   "runs, cuts", unread, "tok/s, measured (of dense)"], shown)


def _missing(rows: Sequence[Missing]) -> str:
    by_group: dict[str, list[Missing]] = defaultdict(list)
    for row in rows:
        by_group[row.group].append(row)
    return "\n".join(f"No rows for {', '.join(f'{row.target:g}' for row in there)} at {_group(group)}: without a mask "
                     f"{there[0].zeros:.3f} of the inputs are zero on the fitted text." for group, there in
                     by_group.items())


def _worse(rows: Sequence[Row]) -> str:
    worse = worse_than_random(rows)
    if not any(row.method == "random-per-token" for row in rows):
        return ""
    if not worse:
        return "No method is worse than random-per-token at the same inputs and target."
    return "\n".join(f"Worse than random-per-token: {row.method} at {_group(row.group)}, {row.target:g} "
                     f"(× {row.over_plain:.3f} against × {random.over_plain:.3f}; "
                     f"layer error {row.layer_error:.3f} against {random.layer_error:.3f})." for row, random in worse)


def _percent(rows: Sequence[AtPercent], percent: float) -> str:
    shown = [[_group(row.group), row.method, f"{row.reached:.2f} %", f"{row.zeros:.3f}", f"× {row.over_plain:.3f}"]
             for row in rows]
    return f"Sparsity at {percent:g} % more perplexity on the fitted text, bisected:\n\n" + markdown_table(
        ["sparse inputs", "method", "reached", "zeros, held out", "over plain, held out"], shown)


def _pairs(rows: Sequence[Pair]) -> str:
    if not rows:
        return ""
    shown = [[_group(row.group), f"{row.target:g}", f"{row.wina_zeros:.3f}", f"{row.teal_zeros:.3f}",
              f"{row.difference:+.4f} ± {row.error:.4f}", _verdict(row.difference, row.error)] for row in rows]
    return "WINA against TEAL, paired over tokens, standard error over blocks of 32:\n\n" + markdown_table(
        ["sparse inputs", "asked for", "zeros, WINA", "zeros, TEAL", "WINA less TEAL, nats a token",
         "beyond two errors"], shown)


def _verdict(difference: float, error: float) -> str:
    if abs(difference) <= 2 * error:
        return "a tie"
    return "WINA better" if difference < 0 else "TEAL better"


def _kept(rows: Sequence[KeptGates]) -> str:
    if not rows:
        return ""
    shown = []
    for row in rows:
        mean, worst = (f"{share:.4f} ({100 * (share / row.asked - 1):+.1f}{error} %)" for share, error in (
            (row.mean, "" if row.error is None else f" ± {100 * row.error / row.asked:.1f}"), (row.worst, "")))
        shown.append([row.quantile, f"{row.asked:g}", mean, worst])
    return ("Gates that the statistical top-k keeps, of them all and against k, on the scored text; standard error over"
            " blocks of 32 tokens:\n\n") + markdown_table(
        ["quantile of", "asked for, k / n", "kept", "kept in the layer furthest off"], shown)


def _followed(rows: Sequence[At]) -> str:
    if not rows:
        return ""
    bins = list(dict.fromkeys((row.first, row.behind) for row in rows))
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        lines[row.follows, row.method].append(f"{row.more:+.3f} ± {row.error:.3f}")
    return (f"CoreInfer with half the neurons, over plain in nats a token by tokens behind the prompt, "
            f"{rows[0].passages} passages:\n\n") + markdown_table(
        ["what follows", "method", *(f"{first} – {behind - 1}" for first, behind in bins)],
        ([*key, *cells] for key, cells in lines.items()))
