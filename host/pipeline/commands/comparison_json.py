"""A comparison of masks as JSON, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.sparsity.at_percent import AtPercent
from host.pipeline.sparsity.comparison import GROUPS, Comparison, Missing, Pair, Row
from host.pipeline.sparsity.continuations import At
from host.pipeline.sparsity.kept_gates import KeptGates
from models.errors import OptionError
from models.json_file import read_object

__all__ = ["as_json", "joined", "read_comparison"]

_FOLLOWED = "continuations"
_TYPES = {"rows": Row, "missing": Missing, "pairs": Pair, "kept": KeptGates, "percent": AtPercent, _FOLLOWED: At}


def as_json(found: Comparison, followed: Sequence[At]) -> dict[str, list[dict[str, object]]]:
    """Its fields and "continuations", lists of objects."""
    parts: dict[str, Sequence[object]] = {**found._asdict(), _FOLLOWED: followed}
    return {name: [row._asdict() for row in parts[name]] for name in _TYPES}  # type: ignore[attr-defined]


def joined(parts: Sequence[tuple[Comparison, Sequence[At]]]) -> tuple[Comparison, list[At]]:
    """Comparisons of some groups or targets each as one, in the order of `GROUPS`; what is of no group is the first's
    that has it."""
    order = list(GROUPS)
    fields = {}
    for name in Comparison._fields:
        lists = [getattr(found, name) for found, _ in parts]
        if name == "kept":
            fields[name] = next(filter(None, lists), [])
        else:
            fields[name] = sorted((row for rows in lists for row in rows), key=lambda row: order.index(row.group))
    plain = {row.group: row for row in reversed(fields["rows"]) if row.target is None}  # of a group in several parts
    fields["rows"] = [row for row in fields["rows"] if row.target is not None or row is plain[row.group]]
    return Comparison(**fields), list(next((followed for _, followed in parts if followed), []))


def read_comparison(path: Path) -> tuple[Comparison, list[At]]:
    """What `as_json` gave, from a file; `OptionError` for another one."""
    try:
        given = read_object(path)
        parts = {name: [cls(**row) for row in given[name]] for name, cls in _TYPES.items()}
        followed = parts.pop(_FOLLOWED)
        return Comparison(**parts), followed
    except (KeyError, TypeError):
        raise OptionError(f"{path} is not what host.pipeline report --kind sparsity --json prints") from None
