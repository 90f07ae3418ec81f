# amaranth: UnusedElaboratable=no
"""Session against a history: what was executed since the last HELLO, request by request."""

from __future__ import annotations

import random

from hw.link.session import Session
from models.machine.link import REPEATS, LinkStatus
from tests.hw.link.simulated import run


class History:
    """The rules of the page, with all that was executed kept."""

    def __init__(self) -> None:
        self.session, self.expected, self.reads = 0, 0, []

    def greet(self, sequence: int, session: int) -> None:
        if session != self.session:
            self.session, self.expected, self.reads = session, (sequence + 1) % 256, []

    def judge(self, sequence: int, session: int, reads: bool) -> tuple[LinkStatus, bool]:
        """Its status, and whether it was executed before."""
        if session != self.session or not session:
            return LinkStatus.NOT_GREETED, False
        if sequence == self.expected:
            return LinkStatus.OK, False
        behind = (self.expected - sequence) % 256
        if behind > min(REPEATS, len(self.reads)):
            return LinkStatus.OUT_OF_ORDER, False
        return LinkStatus.TOO_LATE if reads and not all(self.reads[-behind:]) else LinkStatus.OK, True


def test_requests_are_judged_by_what_was_executed():
    rng, unit, history = random.Random(1), Session(), History()
    seen: dict[LinkStatus, int] = dict.fromkeys(LinkStatus, 0)

    async def bench(ctx) -> None:
        likely_read = 0.5
        for n in range(2500):
            if n % 150 == 0:
                likely_read = rng.choice((0, 0.5, 0.9, 1))
            reads = rng.random() < likely_read
            near = rng.choice((0, 0, 0, 0, -1, -2, rng.randint(-70, 1), -REPEATS, -REPEATS - 1))
            sequence = (history.expected + near) % 256
            session = history.session if rng.random() < 0.95 else rng.choice((0, 1, 2, 3))
            ctx.set(unit.sequence, sequence)
            ctx.set(unit.session, session)
            ctx.set(unit.reads, reads)
            await ctx.tick()
            status, repeat = history.judge(sequence, session, reads)
            assert ctx.get(unit.status) == status, (n, sequence, history.expected)
            seen[status] += 1
            if status == LinkStatus.OK:
                assert ctx.get(unit.repeat) == repeat
            greets = rng.random() < 0.01 or (not history.session and rng.random() < 0.2)
            fails = rng.random() < 0.02
            new = status == LinkStatus.OK and not repeat
            for pulse, high in ((unit.greet, greets), (unit.change, new and not reads),
                                (unit.execute, new and not greets and not fails)):
                ctx.set(pulse, high)
                changes = ctx.get(unit.change)
                executes = ctx.get(unit.execute)
                await ctx.tick()
                ctx.set(pulse, 0)
                if pulse is unit.greet and high:
                    history.greet(sequence, session)
                if changes:
                    history.reads = [False] * len(history.reads)
                if executes:
                    history.reads.append(reads)
                    history.expected = (history.expected + 1) % 256
            assert (ctx.get(unit.current), ctx.get(unit.expected)) == (history.session, history.expected)

    run(unit, bench)
    assert all(seen[word] > 30 for word in (LinkStatus.OK, LinkStatus.NOT_GREETED, LinkStatus.OUT_OF_ORDER,
                                            LinkStatus.TOO_LATE))
