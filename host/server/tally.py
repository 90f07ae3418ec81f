"""What a server has done since it started: requests, tokens, drafts, times."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram

from host.engine.reply import Reply

__all__ = ["Tally"]

_RECENT = 64  # passes
_TTFT = (.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
_WHOLE = (.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Tally:
    """Filled by the worker's thread; read from any other."""

    def __init__(self) -> None:
        self.started = time.time()
        self.prompt = self.cached = self.generated = self.drafted = self.accepted = self.refused = 0
        self.finished: Counter[str] = Counter()
        self.histograms = CollectorRegistry()
        self._first = Histogram("tritloom_time_to_first_token_seconds", "from a prompt's start to its first token",
                                buckets=_TTFT, registry=self.histograms)
        self._whole = Histogram("tritloom_request_seconds", "from a prompt's start to the last token", buckets=_WHOLE,
                                registry=self.histograms)
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def passed(self, seconds: float, given: Sequence[int]) -> None:
        """A pass: its wall time, and how many new ids each reply had of it."""
        self.generated += sum(given)
        if all(given):  # a pass of decoding alone
            self._recent.append((seconds, sum(given)))

    def ended(self, reply: Reply) -> None:
        """A reply that has ended, well or not."""
        self.finished[reply.finish.value] += 1
        self.prompt += reply.prompt_done
        self.cached += reply.cached
        self.drafted += reply.drafted
        self.accepted += reply.accepted
        if reply.ids:
            self._first.observe(reply.prefill_s)
            self._whole.observe(reply.prefill_s + reply.decode_s)

    def speed(self) -> float:
        """New tokens a second of the last passes in which all decoded, over all requests; 0 before the first."""
        recent = list(self._recent)
        seconds = sum(taken for taken, _ in recent)
        return sum(given for _, given in recent) / seconds if seconds else 0.0

    def tokens(self) -> dict[str, Any]:
        """Counts of tokens, by what they were."""
        return {"prompt": self.prompt, "cached": self.cached, "generated": self.generated, "drafted": self.drafted,
                "accepted": self.accepted}
