"""A request, from its frame to its answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.link.frames import frame_of
from models.machine.link import ANSWERED, OPERATIONS, REPLY, REQUEST, RESULT, WORD, LinkStatus, Operation

__all__ = ["Answer", "Request", "status_name"]


@dataclass
class Answer:
    """status: a `LinkStatus`, or a number that this host does not know."""

    sequence: int
    operation: int
    session: int
    data: bytes
    expected: int
    status: int

    @classmethod
    def of(cls, body: bytes) -> Answer:
        """From a good frame's body."""
        sequence, operation, session = REPLY.unpack_from(body)
        expected, status = RESULT.unpack_from(body, len(body) - RESULT.size)
        return cls(sequence, operation & ~ANSWERED, session, body[REPLY.size:-RESULT.size], expected, status)


@dataclass(eq=False)
class Request:
    """One request of a session. takes_s: that the board may need for it, beside what every answer may take.

    wanted: whether somebody waits for its answer's data. sent: whether it is on its way. done: executed, and
    answered where that is wanted. answer: once there is one with status OK.
    """

    operation: Operation
    address: int = 0
    size: int = 0
    data: bytes = b""
    takes_s: float = 0.0
    sequence: int = 0
    session: int = 0
    wanted: bool = True
    sent: bool = False
    done: bool = False
    answer: bytes | None = None
    frame: bytes = field(default=b"", repr=False)

    def number(self, session: int, sequence: int) -> None:
        """Give it its place in a session, and its frame."""
        self.session, self.sequence = session, sequence
        head = REQUEST.pack(sequence, self.operation, session, self.address, self.size)
        self.frame = frame_of(head + self.data)

    @property
    def reads(self) -> bool:
        """Whether it changes nothing and has data to wait for."""
        return OPERATIONS[self.operation].reads

    @property
    def answer_bytes(self) -> int | None:
        """How long its answer's data must be; None: the board says."""
        return {Operation.READ_REGISTERS: self.size, Operation.READ_MEMORY: self.size, Operation.CHECK_MEMORY: WORD,
                Operation.WAIT: WORD}.get(self.operation)

    @property
    def held_bytes(self) -> int:
        """For how many bytes of the line a write keeps its place on the board, once its last byte has come: while it is
        executed, 16 bytes of memory in 100 cycles of 60 MHz at most, and answered."""
        return 16 + (self.size // 32 if self.operation == Operation.WRITE_MEMORY else 0)

    def executed_by(self, expected: int) -> bool:
        """Whether a board that expects this sequence has executed it; for one of the last 128."""
        return 0 < (expected - self.sequence) % 256 <= 128

    @property
    def what(self) -> str:
        """For messages."""
        return f"{self.operation.name} of {self.size} bytes at {self.address:#x}"


def status_name(status: int) -> str:
    """For messages."""
    return LinkStatus(status).name if status in LinkStatus.__members__.values() else f"status {status}"
