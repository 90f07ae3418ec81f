"""Bytes as people read them."""

from __future__ import annotations

__all__ = ["byte_size"]


def byte_size(count: int) -> str:
    """A number of bytes in three digits or so: 999 B, 1.2 kB, 48.0 MB, 1.18 GB."""
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    for size, unit in ((1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
