"""Wrong lines in copies of units, and the proof that must find each broken."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from amaranth.lib import wiring

from hw.control.registers import Registers
from hw.control.run_control import RunControl
from hw.control.semaphores import Semaphores
from hw.link.memory_access import MemoryAccess
from hw.link.register_access import RegisterAccess
from hw.memory.port_narrower import PortNarrower
from hw.memory.read_master import ReadMaster
from hw.memory.stripe_walk import StripeWalk
from hw.memory.write_master import WriteMaster
from hw.sdram.scheduler import Scheduler
from hw.stream.deep_queue import DeepQueue
from hw.stream.gathered_queue import GatheredQueue
from hw.stream.queue import Queue
from hw.stream.register_slice import RegisterSlice
from hw.stream.reserved_queue import ReservedQueue
from hw.stream.round_robin import RoundRobin
from models.errors import BuildError
from tests.proofs.axi_read_master import read_master
from tests.proofs.axi_write_master import write_master
from tests.proofs.claims import Claims, Proof
from tests.proofs.link_access import memory_access, register_access
from tests.proofs.port_narrower import narrower
from tests.proofs.queues import deep_queue, gathered_queue, queue, register_slice, reserved_queue, round_robin
from tests.proofs.registers import registers
from tests.proofs.run_control import run_control
from tests.proofs.sdram_scheduler import scheduler
from tests.proofs.semaphores import semaphores
from tests.proofs.stripe_walk import stripe_walk

__all__ = ["FOUR", "PLANTED", "SEARCHED", "Planted", "with_line"]

SEARCHED = 64
"""Cycles in which a planted fault must show."""


class Planted(NamedTuple):
    """A fault in words, the unit, the text of its source that is replaced, by what, the claims of the copy, and the one
    that must be found broken."""

    fault: str
    unit: type[wiring.Component]
    line: str
    wrong: str
    make: Callable[[type], Callable[[Claims], None]]
    rule: str

    def proof(self) -> Proof:
        """Of the unit with the fault."""
        return Proof(f"{self.unit.__name__}: {self.fault}", self.make(with_line(self.unit, self.line, self.wrong)))


def with_line(unit: type, line: str, wrong: str) -> type:
    """A copy of the unit's class whose source has `wrong` in the place of `line`, which must stand there once."""
    source = inspect.getsource(sys.modules[unit.__module__])
    if source.count(line) != 1:
        raise BuildError(f"{unit.__name__} has {line!r} {source.count(line)} times")
    copy = ModuleType(f"{unit.__module__}_planted")
    exec(compile(source.replace(line, wrong), copy.__name__, "exec"), copy.__dict__)
    return getattr(copy, unit.__name__)


def _read(kind: type) -> Callable[[Claims], None]:
    return read_master(2, 2, kind)


def _write(kind: type) -> Callable[[Claims], None]:
    return write_master(2, 2, kind)


_LIMITS = "no address outside BASE and LIMIT"

FOUR = (
    Planted("ignores LIMIT", ReadMaster, "send.eq(checked & inside & ~axi.arvalid", "send.eq(checked & ~axi.arvalid",
            _read, _LIMITS),
    Planted("ignores LIMIT", WriteMaster, "free.eq(checked & inside & ~axi.awvalid", "free.eq(checked & ~axi.awvalid",
            _write, _LIMITS),
    Planted("a beat is dropped", WriteMaster, "beat.ready.eq(begin | going)",
            "beat.ready.eq(begin | (more & ~self.stop))",
            _write, "a client's beat goes out in the next cycle, unchanged"),
    Planted("WLAST a beat late", WriteMaster, "axi.wvalid.eq(1), axi.wlast.eq(final), left.eq(left - 1)",
            "axi.wvalid.eq(1), axi.wlast.eq(~more), left.eq(left - 1)", _write,
            "WLAST with the last beat, and no other"),
    Planted("data change under stall", WriteMaster, "with m.If(begin | (going & beat.valid)):",
            "with m.If(axi.wvalid & owner[client]):\n"
            "                m.d.sync += axi.wdata.eq(beat.payload.data)\n"
            "            with m.If(begin | (going & beat.valid)):", _write,
            "WVALID waits for READY, its payload stable"),
)
"""A master that ignores the limit, a dropped beat, WLAST a beat late, a payload that changes under stall."""

PLANTED = (
    *FOUR,
    Planted("one more under way than allowed", ReadMaster, "(under_way != self._outstanding)",
            "(under_way != self._outstanding + 1)", _read, "outstanding bounded"),
    Planted("a burst is kept back while one is under way", ReadMaster, "(under_way != self._outstanding)",
            "(under_way == 0)", lambda kind: read_master(2, 4, kind), "a burst inside leaves"),
    Planted("address changes under stall", ReadMaster,
            "        with m.If(send):\n            m.d.sync += [axi.arvalid.eq(1),",
            "        with m.If(checked):\n            m.d.sync += axi.araddr.eq(burst.address)\n"
            "        with m.If(send):\n            m.d.sync += [axi.arvalid.eq(1),", _read,
            "ARVALID waits for READY, its payload stable"),
    Planted("ARVALID is withdrawn", ReadMaster, "with m.If(axi.arready):", "with m.If(axi.arready | self.stop):", _read,
            "ARVALID waits for READY, its payload stable"),
    Planted("beats to the wrong client", ReadMaster, "identity.eq(axi.rid)", "identity.eq(axi.rid ^ 1)", _read,
            "a client's beats, each once, and no other's"),
    Planted("answers from before a reset are handed on", ReadMaster, "self.beat.eq(valid & asked)",
            "self.beat.eq(valid)", _read, "a client's beats, each once, and no other's"),
    Planted("quiet with bursts under way", ReadMaster, "self.quiet.eq(~asked & ~valid & ~waiting)",
            "self.quiet.eq(~valid & ~waiting)", _read, "quiet: nothing under way"),
    Planted("second address before the data", WriteMaster, "choosing = (chosen == 0) & ~more",
            "choosing = (chosen == 0)",
            _write, "no address before the data of the last burst have come"),
    Planted("a burst that is stopped writes", WriteMaster, "m.d.sync += axi.wstrb.eq(0)", "m.d.sync += axi.wstrb.eq(1)",
            _write, "what no client gave writes nothing"),
    Planted("idle before the answer", WriteMaster, "self.idle[client].eq(count == 0)",
            "self.idle[client].eq(count <= 1)",
            _write, "idle: all bursts of client 0 are answered"),
    Planted("answer without the data", Registers, "write.eq(addressed & loaded & ~bus.bvalid)",
            "write.eq(addressed & ~bus.bvalid)", registers,
            "a write is answered once, behind its address and its data"),
    Planted("strobes ignored", Registers, "port.eq((write_data & mask) | (port & ~mask))", "port.eq(write_data)",
            registers,
            "BASE: written by its own writes, by strobes"),
    Planted("BVALID is withdrawn", Registers, "with m.If(bus.bready):", "with m.If(bus.bready | bus.awvalid):",
            registers,
            "BVALID waits for READY, its payload stable"),
    Planted("reset ends before all is quiet", RunControl, "still.eq(self.quiet & (left == 0))", "still.eq(left == 0)",
            run_control, "the engines' reset ends while all is quiet alone"),
    Planted("an error without its code", RunControl, "with m.If(self.axi_error):",
            "with m.If(self.axi_error & self.quiet):",
            run_control, "the code names the first error"),
    Planted("a take without its tokens", Semaphores, "nonzero = Cat(count.any() for count in counts)",
            "nonzero = Cat(*(count.any() for count in counts[:-1]), 1)",
            lambda kind: semaphores(2, kind), "all or nothing: a take finds all its tokens"),
    Planted("more than there is room for", StripeWalk, "burst.valid & room[_BEAT_BITS:].any()",
            "burst.valid & room.any()",
            stripe_walk, "never more than there is room for"),
    Planted("payload changes under stall", DeepQueue, "        with m.If(self.taken):\n",
            "        with m.If(put):\n            m.d.comb += self.o.payload.eq(self.i.payload)\n"
            "        with m.If(self.taken):\n", lambda kind: deep_queue(16, kind), "o holds until it is taken"),
    Planted("a transfer is lost where it is full", DeepQueue, "self.i.ready.eq(~level[address_bits])",
            "self.i.ready.eq(1)", lambda kind: deep_queue(16, kind), "what is inside is in the memory or behind it"),
    Planted("a transfer is doubled", Queue, "fifo.r_en.eq(self.o.ready)", "fifo.r_en.eq(self.o.ready & ~self.i.valid)",
            lambda kind: queue(4, False, kind), "nothing comes out that did not go in"),
    Planted("a transfer is doubled behind the register", Queue, "eq((self.level != 0) & ~got)", "eq(self.level != 0)",
            lambda kind: queue(4, True, kind), "nothing comes out that did not go in"),
    Planted("a word is offered before its last part", GatheredQueue, "self.o.valid.eq(missing[0])",
            "self.o.valid.eq(missing[1])", lambda kind: gathered_queue(4, kind), "parts are awaited one by one"),
    Planted("the parts of a word are turned round", GatheredQueue, "Cat(word[width:], waiting.o.payload)",
            "Cat(waiting.o.payload, word[:-width])", lambda kind: gathered_queue(2, kind),
            "a word is its parts, the first lowest"),
    Planted("a word that went is still counted", GatheredQueue, "self.level + put - self._parts", "self.level + put",
            lambda kind: gathered_queue(2, kind), "level is the parts that are here"),
    Planted("the second transfer is lost", RegisterSlice, "(valid & (~ready | ~got))", "(valid & ~got)",
            register_slice, "what is inside comes out"),
    Planted("a place is given back too soon", ReservedQueue, "room.give.eq(self.o.valid & self.o.ready)",
            "room.give.eq(self.o.valid)", lambda kind: reserved_queue(4, kind), "a transfer that comes has its place"),
    Planted("two granted", RoundRobin, "first & ~below_first, self", "first, self", round_robin,
            "one of the requests is granted, where there are any"),
    Planted("a write ends as a read does", Scheduler, "opener.column_writes.eq(columns.writes)",
            "opener.column_writes.eq(0)", scheduler, "PRECHARGE: words written, t_wr over"),
    Planted("a refresh waits for no job", Scheduler, "upkeep.quiet.eq(opener.quiet)", "upkeep.quiet.eq(1)", scheduler,
            "PRECHARGE: words read"),
    Planted("rows stay open beyond a refresh", Scheduler, "opener.closed.eq(upkeep.closed)", "opener.closed.eq(0)",
            scheduler, "the unit knows which banks are open"),
    Planted("two commands at once", Scheduler, "opener.allowed.eq(~columns.given)", "opener.allowed.eq(1)", scheduler,
            "the unit knows which banks are open"),
    Planted("a second piece in the wrong place", PortNarrower, "m.d.sync += [o.araddr.eq(o.araddr | _PIECE_BYTES)",
            "m.d.sync += [o.araddr.eq(o.araddr + 2 * _PIECE_BYTES)", narrower,
            "AR: the pieces of the master's burst, each once"),
    Planted("halves exchanged", PortNarrower, "o.wdata.eq(i.wdata.word_select(second, _BITS))",
            "o.wdata.eq(i.wdata.word_select(~second, _BITS))", narrower,
            "writes: the master's halves, the lower first"),
    Planted("WLAST with the first half", PortNarrower, "o.wlast.eq(second & (left == 0))", "o.wlast.eq(left == 0)",
            narrower, "WLAST with the last beat, and no other"),
    Planted("the data may change", MemoryAccess, "with m.If(axi.awready):",
            "with m.If(self.busy & ~writing):\n            m.d.sync += axi.wdata.eq(self.data)\n"
            "        with m.If(axi.wvalid):\n            m.d.sync += axi.wdata.eq(self.data)\n"
            "        with m.If(axi.awready):", memory_access, "WVALID waits for READY, its payload stable"),
    Planted("done before the data went", MemoryAccess, "axi.bvalid & writing & ~axi.awvalid & ~axi.wvalid",
            "axi.awready & writing", memory_access, "done with the answer, once"),
    Planted("a read's error for a write's", RegisterAccess, "(bus.bready & bus.bresp[1])",
            "(bus.bready & bus.rresp[1])", register_access, "an error response is told, and no other"),
    Planted("the address may change", RegisterAccess, "with m.If(bus.arready):",
            "with m.If(self.busy):\n            m.d.sync += bus.araddr.eq(self.address)\n"
            "        with m.If(bus.arready):", register_access, "ARVALID waits for READY, its payload stable"),
)
