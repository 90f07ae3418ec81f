"""What a case came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["FINDINGS", "FINE", "LIMIT_BYTES", "LIMIT_SECONDS", "REFUSED", "Outcome"]

FINE, REFUSED = "fine", "refused"
FINDINGS = ("traceback", "crash", "hang", "memory", "left behind", "message")
"""What must not be: an exception that is no refusal, a signal, no end, too much memory, files or processes that stay,
and a refusal that is not one clear line."""

LIMIT_SECONDS = 10
"""Of processor time, for one command; a busy machine makes no hang of it."""
LIMIT_BYTES = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """verdict: FINE, REFUSED or one of FINDINGS; detail: the line of a refusal, or what a finding looks like.

    command: the one that ended the case; memory: bytes of the largest process, resident.
    seconds: processor time of the whole case.
    """

    verdict: str
    detail: str = ""
    command: str = ""
    memory: int = 0
    seconds: float = 0.0

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to mend something."""
        return self.verdict in FINDINGS

    def to_json(self) -> dict[str, object]:
        """Ready for `json.dumps`."""
        return asdict(self)
