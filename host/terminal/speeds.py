"""How long a reply took, in words that claim no more than was measured."""

from __future__ import annotations

from host.engine.reply import Reply

__all__ = ["answer_speed", "duration", "prompt_speed"]

_ENOUGH = 16
"""Tokens behind which a rate says more than the clock's grain and the first pass."""


def duration(seconds: float) -> str:
    """A time with three digits at most: 340 µs, 12 ms, 1.25 s, 140 s."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds:.0f} s"


def prompt_speed(reply: Reply) -> str:
    """What of the prompt ran, in what time, up to the first new token; what the cache had is named beside it."""
    ran = reply.prompt_done - reply.cached
    cached = f", {reply.cached} from the cache" if reply.cached else ""
    return f"{_took('prompt token', ran, reply.prefill_s, ran)}{cached}"


def answer_speed(reply: Reply) -> str:
    """New tokens, with the rate of all behind the first."""
    return _took("new", len(reply.ids), reply.decode_s, len(reply.ids) - 1)


def _took(what: str, count: int, seconds: float, timed: int) -> str:
    plural = "s" if what.endswith("token") and count != 1 else ""
    words = f"{count} {what}{plural}"
    if timed < 1 or seconds <= 0:
        return words
    rate = timed / seconds
    shown = f" ({rate:,.0f} tok/s)" if rate >= 100 else f" ({rate:.3g} tok/s)"
    return f"{words} in {duration(seconds)}{shown if timed >= _ENOUGH else ''}"
