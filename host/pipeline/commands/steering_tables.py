"""A comparison of steering methods as Markdown: success at equal cost, the sweeps, who wins, samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from host.pipeline.steering_bench.comparison import COMPARED, Compared, Plain, Row
from models.markdown import markdown_table

__all__ = ["frontier_table", "sample_tables", "steering_page", "sweep_table", "winners"]

_SAMPLED = 0.05  # the budget whose continuations are shown
_SAMPLES = 2


def steering_page(plain: Sequence[Plain], found: Sequence[Compared]) -> str:
    """All of it."""
    parts = []
    for side in plain:
        parts.append(f"Toward {side.target}: the judge gives it {_percent(side.success)} of the plain model's "
                     f"continuations, and of held-out text {_percent(side.accuracy[0])} and "
                     f"{_percent(side.accuracy[1])} to their own manner. Perplexity of held-out text "
                     f"{side.perplexity[0]:.2f} ({side.target}) and {side.perplexity[1]:.2f} ({side.source}).")
        parts.append(frontier_table([each for each in found if each.target == side.target]))
    parts.append("\n".join(winners(found)))
    parts += [f"{each.method} toward {each.target} is left out: {each.error}." for each in found if each.error]
    return "\n\n".join(parts)


def frontier_table(found: Iterable[Compared]) -> str:
    """Success at equal cost, a line a method: fitted, the best random draw, the best shuffled one."""
    head = ["method", "runs, cuts a token", "tok/s, measured (of plain)"]
    head += [f"moved at +{_percent(budget)} (random, shuffled)" for budget in COMPARED] + ["shift at +5 %", "at −α"]
    lines = []
    for each in found:
        if each.error:
            continue
        cells = [each.method, f"{each.runs}{f', {each.cuts}' if each.cuts else ''}",
                 f"{each.tokens_per_s:.0f} (× {each.of_plain:.2g})"]
        for budget in COMPARED:
            fitted = _at(each.rows, "fitted", budget)
            controls = ", ".join(_share(_at(each.rows, what, budget)) for what in ("random", "shuffled"))
            cells.append(f"{_with_error(fitted)} ({controls})")
        middle = _at(each.rows, "fitted", _SAMPLED)
        back = next((row for row in each.rows if row.budget is None), None)
        lines.append([*cells, _shift(middle), _shift(back)])
    return markdown_table(head, lines)


def sweep_table(found: Iterable[Compared]) -> str:
    """Every strength of every fitted method."""
    head = ["method", "toward", "strength", "perplexity, target's text", "source's text", "shift, nats a word", "moved",
            "broken words", "repeated"]
    lines = []
    for each in found:
        for row in each.rows:
            if row.what == "fitted":
                o = row.outcome
                lines.append([each.method, each.target, f"{row.strength:.3g}", f"× {o.cost.target:.3f}",
                              f"× {o.cost.source:.3f}", _shift(row), _with_error(row), f"{100 * o.broken:+.1f} %",
                              f"{100 * o.repeated:+.1f} %"])
    return markdown_table(head, lines)


def winners(found: Iterable[Compared]) -> list[str]:
    """At each cost the method that moves most continuations, both directions together, and what ties with it.

    A tie: the difference is within two standard errors.
    """
    found = list(found)
    targets = {each.target for each in found}
    lines = []
    for budget in COMPARED:
        shares: dict[str, tuple[float, float]] = {}
        for name in dict.fromkeys(each.method for each in found):
            rows = [_at(each.rows, "fitted", budget) for each in found if each.method == name]
            there = [row.outcome for row in rows if row is not None]
            if len(there) == len(targets):
                shares[name] = (sum(o.success for o in there) / len(there),
                                math.sqrt(sum(o.success_error**2 for o in there)) / len(there))
        if not shares:
            lines.append(f"At {_percent(budget)} more perplexity: no method costs so much.")
            continue
        best = max(shares, key=lambda name: shares[name][0])
        share, error = shares[best]
        ties = [f"{name} ({_percent(other)})" for name, (other, its) in shares.items()
                if name != best and share - other <= 2 * math.hypot(error, its)]
        beside = f"; within two standard errors: {', '.join(ties)}" if ties else "; no other within two standard errors"
        lines.append(f"At {_percent(budget)} more perplexity **{best}** moves most: {_percent(share)} ± "
                     f"{_percent(error)} of both directions' continuations{beside}.")
    return lines


def sample_tables(plain: Sequence[Plain], found: Sequence[Compared]) -> str:
    """How the first prompts go on at 5 % more perplexity, by target."""
    parts = []
    for side in plain:
        of = {"plain": side.texts}
        for each in found:
            if each.target == side.target and (row := _at(each.rows, "fitted", _SAMPLED)):
                of[each.method] = row.outcome.texts
        parts.append(f"### {side.source} steered toward {side.target}")
        for n, prompt in enumerate(side.prompts[:_SAMPLES]):
            lines = [f"| **{_line(prompt)} …** | |", "| --- | --- |"]
            parts.append("\n".join(lines + [f"| {name} | …{_line(texts[n])} |" for name, texts in of.items()]))
    return "\n\n".join(parts)


def _at(rows: Iterable[Row], what: str, budget: float) -> Row | None:
    """The row at a cost; of several draws the one that moves most."""
    there = [row for row in rows if (row.what, row.budget) == (what, budget)]
    return max(there, key=lambda row: row.outcome.success, default=None)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _share(row: Row | None) -> str:
    return "–" if row is None else f"{100 * row.outcome.success:.0f}"


def _with_error(row: Row | None) -> str:
    return "–" if row is None else f"{100 * row.outcome.success:.0f} ± {100 * row.outcome.success_error:.0f} %"


def _shift(row: Row | None) -> str:
    return "–" if row is None else f"{row.outcome.shift:+.2f} ± {row.outcome.shift_error:.2f}"


def _line(text: str) -> str:
    """Line breaks as spaces, none of them doubled."""
    return text.replace("\n", " ").replace("|", "\\|").rstrip()
