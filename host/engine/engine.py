"""One engine over one device: requests go in, passes run, replies grow."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.engine.scheduler import Plan, Turn, plan_pass
from host.engine.sequences import Slot, best_slot
from host.pipeline.placement import acting_alone
from host.runtime import Session, Top
from host.stop_strings import stop_ids
from host.text import Text
from models.errors import OptionError

__all__ = ["Engine", "Work"]


@dataclass
class Work:
    """What passes took, in wall time. A pass with rows of a prompt counts as one, whoever decodes beside it.

    passes: of decoding alone; decoded: the ids that they gave.
    """

    prefill_s: float = 0.0
    decode_s: float = 0.0
    passes: int = 0
    decoded: int = 0


class Engine:
    """Runs requests on the sequences of a session, which it empties and then has to itself. text: for stop strings
    and the text of replies.

    A request waits until a sequence is free, first come, first served; then its prompt runs in pieces beside the rows
    of those that decode. It takes the sequence whose cache has most of its prompt's start, and goes on from there. What
    a request gets never depends on who shares its passes. `add` and `cancel` may be called from any thread at any time,
    all else from one.
    """

    def __init__(self, session: Session, text: Text | None = None):
        session.reset()
        self.session, self.text, self.work = session, text, Work()
        self._lock = threading.Lock()  # around all below; no pass runs under it
        self._waiting: deque[Reply] = deque()
        self._slots = [Slot(sequence) for sequence in range(len(session.positions))]
        self._passing: set[int] = set()  # sequences in the pass that runs
        self._number = 0  # of the pass

    def add(self, request: Request) -> Reply:
        """Queue a request; `OptionError` for one that cannot run. From any thread."""
        request.check(self.session)
        if request.stops and self.text is None:
            raise OptionError("stop strings need a tokenizer")
        ends = self.session.model.config.eos_ids if request.ends is None else request.ends
        acting = acting_alone(request.stages, self.session.model) if request.stages else None
        reply = Reply(request, ends=set(ends), stop_ids=stop_ids(request.stops, self.text) if request.stops else (),
                      text=self.text, room=self.session.context - len(request.ids) + 1, acting=acting)
        with self._lock:
            self._waiting.append(reply)
        return reply

    def cancel(self, reply: Reply) -> None:
        """End a reply with what it has; nothing where it has ended. From any thread."""
        with self._lock:
            if reply.finish is not None:
                return
            reply.end(Finish.CANCELLED)
            if reply in self._waiting:
                self._waiting.remove(reply)
            self._release()

    def forget(self) -> None:
        """What acts on all rows has changed: no request to come takes a cache that is there."""
        with self._lock:
            for slot in self._slots:
                if slot.reply is None:
                    slot.history = []

    @property
    def idle(self) -> bool:
        """Whether no request waits or runs."""
        with self._lock:
            return not self._waiting and all(slot.reply is None for slot in self._slots)

    def run(self, *replies: Reply) -> Iterator[list[Reply]]:
        """`step` until those replies have ended; none given: until nothing waits or runs."""
        while any(reply.finish is None for reply in replies) if replies else not self.idle:
            yield self.step()

    def complete(self, request: Request) -> Reply:
        """The reply to a request, once it has ended; others run beside it."""
        reply = self.add(request)
        for _ in self.run(reply):
            pass
        return reply

    def step(self) -> list[Reply]:
        """Run one pass; the replies that had rows in it. Without requests, nothing."""
        with self._lock:
            self._settle()
            self._admit()
            plan, rows = self._next_pass()
            self._passing = set(rows)
            own = {slot.sequence: slot.reply.acting for slot in self._slots
                   if slot.sequence in rows and slot.reply.acting is not None}
        if not rows:
            return []
        started = time.perf_counter()
        tops = self.session.advance(list(rows.items()), plan.head_from, own)
        with self._lock:
            moved = [self._slots[sequence].reply for sequence in rows]
            prompts = any(reply.prompt_done < len(reply.request.ids) for reply in moved)
            decoded = self._take(plan, rows, tops)
            self._settle()
        self._count(time.perf_counter() - started, None if prompts else decoded)
        return moved

    def _settle(self) -> None:
        """No pass runs: free the sequences of replies that ended, and mend what an error or Ctrl-C cut short.

        The cache is right as far as the session says that it goes, but what follows the last id may never have been
        seen: that id runs again.
        """
        self._passing = set()
        self._release()
        for slot in self._slots:
            if slot.reply is not None:
                last = len(slot.history) - 1
                self.session.positions[slot.sequence] = min(self.session.positions[slot.sequence], last)

    def _admit(self) -> None:
        """Give free sequences to those that wait."""
        while self._waiting and (free := [slot for slot in self._slots if slot.reply is None]):
            reply = self._waiting.popleft()
            ids = list(reply.request.ids)
            slot = best_slot(free, ids, reply.request.stages)
            remembers = self.session.remembers or (reply.acting is not None and reply.acting.begins)
            cached = 0 if remembers else slot.cached(ids, reply.request.stages)
            cached = min(cached, len(ids) - 1)  # the last one runs for what follows it
            self.session.positions[slot.sequence] = cached
            slot.history, slot.stages, slot.reply = ids, reply.request.stages, reply
            if reply.request.drafts:
                reply.request.drafts.extend(ids)
            reply.start(cached)

    def _next_pass(self) -> tuple[Plan, dict[int, list[int]]]:
        """What the next pass takes, and the ids of each of its sequences, drafts behind the rest."""
        turns, drafts, positions = [], {}, self.session.positions
        for slot in self._slots:
            if (reply := slot.reply) is not None:
                sequence, source = slot.sequence, reply.request.drafts
                drafts[sequence] = source.propose(reply.left - 1) if source and reply.ids else []
                pending = len(slot.history) - positions[sequence]
                turns.append(Turn(sequence, pending, len(drafts[sequence]), slot.served))
        plan, rows = plan_pass(turns, self.session.rows), {}
        for sequence, count, checked, _ in plan.shares:
            start = positions[sequence]
            rows[sequence] = self._slots[sequence].history[start:start + count] + drafts[sequence][:checked]
        return plan, rows

    def _take(self, plan: Plan, rows: dict[int, list[int]], tops: list[Top]) -> int:
        """What a pass gave to the replies; how many ids that was."""
        self._number += 1
        given, at = 0, 0
        for sequence, count, checked, scored in plan.shares:
            slot, best = self._slots[sequence], tops[at:at + 1 + checked] if scored else []
            reply, at, slot.served = slot.reply, at + len(best), self._number
            self.session.positions[sequence] -= checked
            reply.prompt_done = min(self.session.positions[sequence], len(reply.request.ids))
            reply.passes += bool(reply.ids)
            reply.drafted += checked
            if reply.finish is None:
                given += self._say(slot, best, rows[sequence][count:])
        return given

    def _say(self, slot: Slot, tops: list[Top], drafts: list[int]) -> int:
        """The next ids of a reply, drafts as far as they stand; how many."""
        reply = slot.reply
        request = reply.request
        for number, (top, draft) in enumerate(zip(tops, [*drafts, None], strict=False)):
            token = request.sampler(top, slot.history)
            if not reply.take(token):
                return number
            slot.history.append(token)
            if request.drafts:
                request.drafts.extend([token])
            if token == draft:
                self.session.positions[slot.sequence] += 1
                reply.accepted += 1
            if token != draft or reply.finish is not None:
                return number + 1
        return 0

    def _count(self, seconds: float, decoded: int | None) -> None:
        if decoded is None:
            self.work.prefill_s += seconds
        else:
            self.work.decode_s += seconds
            self.work.decoded += decoded
            self.work.passes += 1

    def _release(self) -> None:
        """Free the sequences of replies that have ended, but those in a pass."""
        for slot in self._slots:
            if slot.reply is not None and slot.reply.finish is not None and slot.sequence not in self._passing:
                del slot.history[self.session.positions[slot.sequence]:]
                self.session.positions[slot.sequence] = len(slot.history)
                slot.reply = None
