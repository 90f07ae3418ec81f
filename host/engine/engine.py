"""One engine over one device: requests go in, passes run, replies grow."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from host.engine.logits import best_of, token_score
from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.engine.scheduler import Plan, Share, Turn, plan_pass
from host.engine.sequences import Slot, best_slot
from host.pipeline.placement import acting_alone
from host.runtime import Session, Top
from host.stop_strings import stop_ids
from host.text import Text
from models.errors import OptionError

__all__ = ["Engine", "Work"]

Found = Sequence[Top] | np.ndarray  # of rows: their best tokens, or integer logits [rows, vocab]


@dataclass
class Work:
    """What passes took, in wall time. A pass with rows of a prompt counts as one, whoever decodes beside it.

    passes: of decoding alone; decoded: the ids that they gave. choosing_s: the part of both times in which the host
    chose tokens and made text of them.
    """

    prefill_s: float = 0.0
    decode_s: float = 0.0
    passes: int = 0
    decoded: int = 0
    choosing_s: float = 0.0


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
        if self._wants_all(plan):
            found: Found = self.session.score_parts(list(rows.items()), own)
            first = 0
        else:
            found, first = self.session.advance(list(rows.items()), plan.head_from, own), plan.head_from
        returned = time.perf_counter()
        with self._lock:
            moved = [self._slots[sequence].reply for sequence in rows]
            prompts = any(reply.prompt_done < len(reply.request.ids) for reply in moved)
            decoded = self._take(plan, rows, found, first)
            self._settle()
        ended = time.perf_counter()
        self.work.choosing_s += ended - returned
        self._count(ended - started, None if prompts else decoded)
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
            anew = remembers or reply.request.prompt_logprobs
            cached = 0 if anew else slot.cached(ids, reply.request.stages)
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

    def _wants_all(self, plan: Plan) -> bool:
        """Whether a pass is to return all logits: of a prompt's rows, or of those whose next token is wanted."""
        requests = {share: self._slots[share.sequence].reply.request for share in plan.shares}
        return any(request.prompt_logprobs and self.session.positions[share.sequence] < len(request.ids) - 1
                   or request.whole and share.scored for share, request in requests.items())

    def _take(self, plan: Plan, rows: dict[int, list[int]], found: Found, first: int) -> int:
        """What a pass gave to the replies; how many ids that was. found: of its rows from `first` on."""
        self._number += 1
        given, starts = 0, dict(zip(rows, accumulate((len(ids) for ids in rows.values()), initial=0), strict=False))
        for share in plan.shares:  # ahead of all samplers: an error in one must not take these from others
            self._score_prompt(share, found, starts[share.sequence])
        for sequence, count, checked, scored in plan.shares:
            slot, last = self._slots[sequence], starts[sequence] - first + count - 1
            reply, slot.served = slot.reply, self._number
            self.session.positions[sequence] -= checked
            reply.prompt_done = min(self.session.positions[sequence], len(reply.request.ids))
            reply.passes += bool(reply.ids)
            reply.drafted += checked
            if reply.finish is None and scored:
                given += self._say(slot, found[last:last + 1 + checked], rows[sequence][count:])
        return given

    def _score_prompt(self, share: Share, logits: Found, start: int) -> None:
        """Log-probabilities of the prompt's ids behind the rows of a share, which begin at `start`."""
        reply = self._slots[share.sequence].reply
        request, behind = reply.request, self.session.positions[share.sequence] - share.drafts
        for row, token in enumerate(request.ids[behind - share.ids + 1:behind + 1] if request.prompt_logprobs else ()):
            reply.prompt_scores[behind - share.ids + row] = token_score(logits[start + row], token,
                                                                        request.logprobs or 0)

    def _say(self, slot: Slot, found: Found, drafts: list[int]) -> int:
        """The next ids of a reply, drafts as far as they stand; how many."""
        reply = slot.reply
        request = reply.request
        for number, (given, draft) in enumerate(zip(found, [*drafts, None], strict=False)):
            top = self._top(request, given, slot.history)
            if not len(top.ids):
                reply.end(Finish.END)
                return number
            token = request.sampler(top, slot.history)
            score = None if request.logprobs is None else token_score(given, token, request.logprobs)
            if not reply.take(token, score):
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

    def _top(self, request: Request, found: Top | np.ndarray, history: Sequence[int]) -> Top:
        """The best next tokens, none where the request's `edit` forbids all."""
        if isinstance(found, Top):
            return found
        logits = found.astype(np.int64)
        return best_of(request.edit(logits, history) if request.edit else logits, self.session.program.best)

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
