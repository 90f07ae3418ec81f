"""Which of several GGUF files is meant where only their folder is named."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["choose_gguf"]

_BEST_FIRST = ("tq2_0", "i2_s", "tq1_0", "q2_0", "pq2_0", "ptq1_0", "bf16", "f16", "f32")
"""Types that hold ternary weights as they are, the quickest to read first."""

_NO_MODEL = re.compile(r"mmproj|imatrix|-\d{5}-of-\d{5}")  # a picture's part, statistics, a piece of a file


def choose_gguf(names: Sequence[str]) -> str | None:
    """The only one, else the one with the best type in its name; None where that leaves a doubt, or there is none."""
    models = [name for name in sorted(names) if name.lower().endswith(".gguf") and not _NO_MODEL.search(name.lower())]
    if len(models) == 1:
        return models[0]
    for kind in _BEST_FIRST:
        found = [name for name in models if re.search(rf"(?<![a-z0-9]){kind}(?![a-z0-9])", name.lower())]
        if found:
            return found[0] if len(found) == 1 else None
    return None
