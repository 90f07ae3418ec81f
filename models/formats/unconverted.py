"""`modules_to_not_convert`: which modules of a checkpoint stayed in floating point, in transformers' spellings.

transformers takes each entry for the end of a module's name and, newer, for a regular expression of its beginning;
versions before that for any part of a name. Whatever one of them would keep is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.errors import ModelError

__all__ = ["first_kept"]

_PLAIN = re.compile(r"[\w.\-]*")
_QUANTIFIERS_MAX, _LONGEST = 3, 200  # an expression of more, or of groups, could keep the machine busy


def first_kept(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, str] | None:
    """The first pattern that keeps a module, and the module's name; None where none keeps any of `names`.

    `ModelError` for a pattern that cannot be understood.
    """
    listing = "\n".join(names)
    for pattern in patterns:
        if _PLAIN.fullmatch(pattern) and pattern not in listing:
            continue
        found = next((name for name in names if _keeps(pattern, name)), None)
        if found is not None:
            return pattern, found
    return None


def _keeps(pattern: str, name: str) -> bool:
    if not pattern or pattern in name:
        return bool(pattern)
    if _PLAIN.fullmatch(pattern):
        return False
    if len(pattern) > _LONGEST or "(" in pattern or len(re.findall(r"[*+?{]", pattern)) > _QUANTIFIERS_MAX:
        raise ModelError(f"expected names of modules, found {pattern[:_LONGEST]!r}")
    try:
        return re.match(pattern, name) is not None
    except re.error:  # "*.down_proj", as shells write it
        pieces = pattern.split("*")
        return re.search(".*".join(map(re.escape, pieces)), name) is not None
