"""From which depth on a memory lies in UltraRAM, whose blocks are 4,096 words deep."""

from __future__ import annotations

__all__ = ["ULTRA_BUFFER_STEPS", "ULTRA_WORDS", "ram_attributes"]

ULTRA_WORDS = 2048  # of a memory of words: below it, block RAM is the smaller choice
ULTRA_BUFFER_STEPS = 1024  # of the weight buffer, whose words are the widest


def ram_attributes(words: int, least: int = ULTRA_WORDS) -> dict[str, str]:
    """Attributes of a memory of so many words, for Vivado and Yosys."""
    return {"ram_style": "ultra"} if words >= least else {}
