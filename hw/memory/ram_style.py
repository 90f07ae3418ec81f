"""From which depth on a memory lies in UltraRAM, whose blocks are 4,096 words deep, where a technology has it."""

from __future__ import annotations

from hw.boards.technology import Technology

__all__ = ["ULTRA_BUFFER_STEPS", "ULTRA_WORDS", "in_ultra_ram", "ram_attributes"]

ULTRA_WORDS = 2048  # of a memory of words: below it, block RAM is the smaller choice
ULTRA_BUFFER_STEPS = 1024  # of the weight buffer, whose words are the widest


def in_ultra_ram(words: int, technology: Technology | None, least: int = ULTRA_WORDS) -> bool:
    """Whether a memory of so many words lies in UltraRAM. technology: None for none in particular."""
    return technology is not None and technology.ultra_ram and words >= least


def ram_attributes(words: int, technology: Technology | None, least: int = ULTRA_WORDS) -> dict[str, str]:
    """Attributes of a memory of so many words, for Vivado and Yosys."""
    return {"ram_style": "ultra"} if in_ultra_ram(words, technology, least) else {}
