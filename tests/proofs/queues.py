"""Queues pass on what comes in, each transfer once, in order; the arbiter grants one, and every one in its turn."""

from __future__ import annotations

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

from hw.stream.deep_queue import DeepQueue
from hw.stream.gathered_queue import GatheredQueue
from hw.stream.queue import Queue
from hw.stream.register_slice import RegisterSlice
from hw.stream.reserved_queue import ReservedQueue
from hw.stream.round_robin import RoundRobin
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import Followed, held, ordered

__all__ = ["PROOFS", "deep_queue", "gathered_queue", "queue", "register_slice", "reserved_queue", "round_robin"]

_WIDTH = 1  # of payloads: all bits take the same way, and one tells transfers apart


def queue(depth: int, buffered: bool, kind: type[Queue] = Queue):
    """The claims of a queue. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(_WIDTH, depth, buffered=buffered))
        c.assume(held(c, u.i))
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, depth, 2)
    return make


class _OneWord(Elaboratable):
    """A memory of which one word is known, that at `place`, kept since it was `put` there; the others read as anything.
    """

    def __init__(self, c: Claims, memory: Memory) -> None:
        self._read, self._write = memory.read_ports[0], memory.write_ports[0]
        self._other = c.free(Value.cast(self._read.data).shape(), "other")
        self.put, self.place, self.word = Signal(), Signal.like(self._write.addr), Signal.like(self._read.data)

    def elaborate(self, platform) -> Module:
        m = Module()
        read, write = self._read, self._write
        with m.If(self.put):
            m.d.sync += self.place.eq(write.addr)
        with m.If(write.en & (self.put | (write.addr == self.place))):
            m.d.sync += self.word.eq(write.data)
        with m.If(read.en):
            known = (read.addr == self.place) & ~(write.en & (write.addr == read.addr)) & ~self.put
            m.d.sync += read.data.eq(Mux(known, self.word, self._other))
        return m


def deep_queue(depth: int, kind: type[DeepQueue] = DeepQueue):
    """The claims of a deep queue. kind: with a fault planted."""
    def make(c: Claims) -> None:
        memories: list[_OneWord] = []

        def one_word(c: Claims, module: Module) -> None:
            storage, where = module._named_submodules["storage"]
            memories.append(_OneWord(c, storage))
            module._named_submodules["storage"] = memories[0], where

        u = c.unit(kind(_WIDTH, depth), parts=one_word)
        memory, = memories
        level, head, tail, read = map(c.inner, ("level", "head", "tail", "read"))

        def lemmas(t: Followed) -> list[str]:
            c.m.d.comb += memory.put.eq(t.begins)
            names = ["what is inside is in the memory or behind it", "what is ahead lies before it",
                     "what is followed lies there unchanged"]
            behind = (t.inside - level)[:len(t.inside)]  # in the registers behind the memory
            c.claim(names[0], (t.inside == level + behind) & (u.o.valid <= behind) & (behind <= 1 + u.o.valid)
                    & (tail == (head + level)[:len(tail)]) & (level <= depth))
            c.claim(names[1], ~t.on_its_way | (t.ahead < behind) | (
                (t.ahead == behind + (memory.place - head)[:len(tail)]) & (t.ahead < t.inside)),
                induction=2, given=names[:1])
            where = Mux(t.ahead >= behind, memory.word, Mux((t.ahead == 0) & u.o.valid, u.o.payload, read.data))
            c.claim(names[2], ~t.on_its_way | (where == t.payload), given=names[:2])
            return names

        c.assume(held(c, u.i))
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, depth + 2, 3, lemmas)
    return make


class _AnyQueue(Elaboratable):
    """In the place of a queue, which has its own proof: it takes and gives when it likes, and never gives more than it
    took. `gives`: what came out this cycle."""

    def __init__(self, c: Claims, replaced: DeepQueue, most: int) -> None:
        self._i, self._o = replaced.i, replaced.o
        self._ready, self._valid = c.free(1, "queue_ready"), c.free(1, "queue_valid")
        self._payload = c.free(Value.cast(replaced.o.payload).shape(), "queue_payload")
        self._most, self.inside = most, Signal(range(most + 1))
        c.assume(held(c, self._o))

    @property
    def gives(self) -> Value:
        return self._o.valid & self._o.ready

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.comb += [self._i.ready.eq(self._ready & (self.inside != self._most)),
                     self._o.valid.eq(self._valid & (self.inside != 0)), self._o.payload.eq(self._payload)]
        m.d.sync += self.inside.eq(self.inside + (self._i.valid & self._i.ready) - self.gives)
        return m


def gathered_queue(parts: int, kind: type[GatheredQueue] = GatheredQueue):
    """The claims of a gathered queue, of what it does behind the queue of its parts. kind: with a fault planted."""
    def make(c: Claims) -> None:
        queues: list[_AnyQueue] = []

        def any_queue(c: Claims, module: Module) -> None:
            replaced, where = module._named_submodules["waiting"]
            queues.append(_AnyQueue(c, replaced, 18))
            module._named_submodules["waiting"] = queues[0], where

        m, u = c.m, c.unit(kind(_WIDTH, parts, 1), parts=any_queue)
        waiting, = queues
        part = Value.cast(c.inner("waiting").o.payload)
        came, went = waiting.gives & ~c.reset, u.o.valid & u.o.ready & ~c.reset
        last = Signal(parts * _WIDTH)  # the last parts that came, and how many of them belong to the next word
        count = Signal(range(parts + 1))
        with m.If(came):
            m.d.sync += last.eq(Cat(last, part)[_WIDTH:])
        m.d.sync += count.eq(Mux(c.reset, 0, Mux(went, 0, count + came)))
        some = c.lemma("parts are awaited one by one", (count <= parts) & (u.o.valid == (count == parts)) & (
            c.inner("missing") == Mux(u.o.valid, 1 << parts - 1, (1 << parts - 1) >> count)))
        c.claim("o holds until it is taken", held(c, u.o))
        c.claim("no part comes while a word is on offer", ~(u.o.valid & waiting.gives))
        c.claim("a word is its parts, the first lowest", ~u.o.valid | (Value.cast(u.o.payload) == last))
        c.claim("level is the parts that are here", u.level == waiting.inside + count, given=some)
        c.reach("a word is on offer while the next one waits", u.o.valid & (waiting.inside >= parts))
    return make


def register_slice(kind: type[RegisterSlice] = RegisterSlice):
    """The claims of a register slice. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(_WIDTH))
        c.assume(held(c, u.i))
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, 2, 0)
    return make


def reserved_queue(depth: int, kind: type[ReservedQueue] = ReservedQueue):
    """The claims of a reserved queue: a transfer comes at any time after its place was reserved. kind: with a fault
    planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(_WIDTH, depth))
        reserved = Signal(range(depth + 3))  # places for transfers that have not come
        c.assume(u.free | ~u.reserve)
        c.assume((reserved != 0) | ~u.i.valid)
        c.m.d.sync += reserved.eq(Mux(c.reset, 0, reserved + (u.reserve & ~c.reset) - u.i.valid))
        c.claim("a transfer that comes has its place", c.inner("queue").i.ready | ~u.i.valid)
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, depth, 0)
        c.reach("every place is reserved", reserved == depth)
    return make


def round_robin(kind: type[RoundRobin] = RoundRobin, count: int = 4):
    """The claims of the arbiter of so many. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(count))
        c.claim("one of the requests is granted, where there are any",
                ((u.grant & (u.grant - 1)) == 0) & ((u.grant & ~u.requests) == 0) & (u.grant.any() == u.requests.any()))
        which = c.constant(range(count), "which")
        others = Signal(range(count + 2))
        waits = u.requests.bit_select(which, 1) & ~u.grant.bit_select(which, 1)
        m.d.sync += others.eq(Mux(waits & ~c.reset, others + (u.advance & (others <= count)), 0))
        c.claim("a request waits for the grants of the others at most", others < count)
        c.reach("each of the others has been granted", others == count - 1)
    return make


PROOFS = (
    Proof("Queue of 3", queue(3, False)),
    Proof("Queue of 4, buffered", queue(4, True)),
    Proof("Queue of 8, buffered", queue(8, True), long=True),
    Proof("DeepQueue of 16", deep_queue(16)),
    Proof("GatheredQueue of 2 parts", gathered_queue(2)),
    Proof("GatheredQueue of 4 parts", gathered_queue(4)),
    Proof("RegisterSlice", register_slice()),
    Proof("ReservedQueue of 4", reserved_queue(4)),
    Proof("RoundRobin of 4", round_robin()),
)
