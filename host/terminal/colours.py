"""Colours, where there is a terminal that has them and nobody said no (https://no-color.org)."""

from __future__ import annotations

import os
from typing import TextIO

__all__ = ["coloured", "dimmed"]


def coloured(stream: TextIO | None) -> bool:
    """Whether colours make sense on a stream."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream is not None and stream.isatty()


def dimmed(text: str, stream: TextIO | None) -> str:
    """`text`, faint where the stream has colours."""
    return f"\x1b[2m{text}\x1b[0m" if coloured(stream) else text
