'''Turns of more than one line: between `"""` and `"""`.'''

from __future__ import annotations

__all__ = ["FENCE", "is_open", "unfenced"]

FENCE = '"""'


def is_open(text: str) -> bool:
    """Whether a text begins a block that it does not end."""
    begun = text.lstrip()
    return begun.startswith(FENCE) and (len(begun) < 2 * len(FENCE) or not begun.rstrip().endswith(FENCE))


def unfenced(text: str) -> str:
    """What is in a block, without the line ends next to its fences; any other text as it is."""
    if not text.lstrip().startswith(FENCE):
        return text
    return text.strip().removeprefix(FENCE).removesuffix(FENCE).removeprefix("\n").removesuffix("\n")
