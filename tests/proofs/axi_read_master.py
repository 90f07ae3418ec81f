"""Read master: what AXI asks of it, that nothing leaves its limits, that each beat finds its client."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal, Value

from hw.memory.axi import ID_BITS
from hw.memory.read_master import ReadMaster
from hw.memory.shapes import BURST_BYTES
from tests.proofs.axi_rules import ReadMemory, burst_rules, channel_rules
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held

__all__ = ["PROOFS", "inside", "limits_rest", "read_master"]

_BLOCK_BITS = (BURST_BYTES - 1).bit_length()


def inside(address: Value, base: Value, limit: Value) -> Value:
    """Whether a burst that keeps its block lies in blocks `base` to `limit` - 1."""
    return (address[_BLOCK_BITS:] >= base) & (address[_BLOCK_BITS:] < limit)


def limits_rest(c: Claims, unit, offered: Value) -> None:
    """Assume that the host sets the limits while the master is quiet and no burst is on offer, or in reset."""
    for limit in (unit.base, unit.limit):
        c.assume((limit == c.past(limit)) | c.past((unit.quiet & ~offered) | c.reset) | ~c.later())


def read_master(clients: int, outstanding: int, kind: type[ReadMaster] = ReadMaster):
    """The claims of such a unit. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(clients, outstanding=outstanding))
        axi = u.axi
        client = c.constant(ID_BITS, "client")
        c.assume(client < clients)
        memory = ReadMemory(c, axi, depth=2 * outstanding, identity=client)
        stopped = u.stop | c.reset
        for burst in u.bursts:
            c.assume(held(c, burst, dropped=stopped))
        limits_rest(c, u, Cat(burst.valid for burst in u.bursts).any())
        # answers due to what was asked before a reset: `stop` is held as long (hw.memory.drain)
        old, new = Signal.like(memory.under_way), Signal.like(memory.under_way)
        m.d.comb += new.eq(memory.under_way - old)
        m.d.sync += old.eq(Mux(c.reset, memory.under_way + memory.asked - memory.ended,
                               old - (memory.ended & (old != 0))))
        c.assume((old == 0) | u.stop)
        c.assume(memory.under_way <= 2 * outstanding)

        channel_rules(c, axi, "ar")
        burst_rules(c, axi, "ar", ids=clients)
        c.claim("RREADY never falls", axi.rready)
        counted = ["bursts under way are counted"]
        c.claim(counted[0], c.inner("under_way") == new + axi.arvalid + c.past(
            axi.rvalid & axi.rlast & (old == 0) & ~c.reset))
        c.claim("outstanding bounded", new <= outstanding, given=counted)

        # a burst that was handed over leaves next, as it was; seen a cycle late, for the next may come as it leaves
        waits, burst = Signal(), Signal(u.bursts[0].payload.shape())
        number, patience = Signal(ID_BITS), Signal(range(8))
        asks = axi.arvalid & ~c.past(axi.arvalid & ~axi.arready)
        with m.If(asks):
            m.d.sync += waits.eq(0)
        for n, offered in enumerate(u.bursts):
            with m.If(c.past(offered.valid & offered.ready & ~stopped)):
                m.d.sync += [waits.eq(1), burst.eq(c.past(offered.payload)), number.eq(n)]
        with m.If(c.past(stopped)):
            m.d.sync += waits.eq(0)
        fits = inside(burst.address, u.base, u.limit) & (burst.address[:4] == 0) & (
            burst.address[4:_BLOCK_BITS] + burst.length < 16)
        m.d.sync += patience.eq(Mux(waits & fits & ~asks & axi.arready & (new < outstanding - 1) & ~c.past(stopped),
                                    patience + (patience < 7), 0))
        c.claim("an address is that of the burst handed over, once",
                ~asks | (waits & (Cat(axi.araddr, axi.arlen[:4], axi.arid) == Cat(
                    burst.address, burst.length, number))))
        taken = Cat(offered.valid & offered.ready & ~stopped for offered in u.bursts)
        c.claim("one burst at a time", ((taken & (taken - 1)) == 0) & ~(waits & ~asks & c.past(taken.any())))
        here = waits & ~asks & ~c.past(stopped)
        c.claim("the fault's address is the waiting burst's", ~here | (
            c.inner("waiting") & (u.fault.address == burst.address)))
        c.claim("the burst that waits is as long as it was", ~here | (c.inner("burst").length == burst.length))
        c.claim("a burst inside leaves", patience < 5, induction=8, given=[
            *counted, "the fault's address is the waiting burst's", "the burst that waits is as long as it was"])

        # each beat to its client, a cycle late
        beat = c.past(axi.rvalid & (old == 0) & ~c.reset & (axi.rid == client))
        mine = Signal.like(u.beats[0].payload)
        valid = Signal()
        for n, beats in enumerate(u.beats):
            with m.If(client == n):
                m.d.comb += [mine.eq(beats.payload), valid.eq(beats.valid)]
        c.claim("a client's beats, each once, and no other's", valid == beat, given=counted)
        c.claim("beats unchanged", ~valid | (mine == c.past(axi.rdata)))
        c.claim("an error response is told", u.error == c.past(axi.rvalid & axi.rresp[1] & (old == 0) & ~c.reset),
                given=counted)
        c.claim("quiet: nothing under way", ~u.quiet | ((new == 0) & ~axi.arvalid), given=counted)
        c.claim("no address outside BASE and LIMIT", ~axi.arvalid | inside(axi.araddr, u.base, u.limit),
                induction=4, given=["quiet: nothing under way"])
        outside = here & ~inside(burst.address, u.base, u.limit)
        c.claim("a burst outside is told until stopped", ~_lasting(c, outside) | u.faulty, induction=5,
                given=["the fault's address is the waiting burst's", "quiet: nothing under way"])
        idle = Signal(range(4))
        m.d.sync += idle.eq(Mux(u.stop & ~axi.arvalid & (memory.under_way == 0) & ~c.reset, idle + (idle < 3), 0))
        c.claim("quiet where all is answered", (idle < 2) | u.quiet, given=counted)
        c.reach("as many bursts as allowed", new == outstanding, bound=12 * outstanding)
        c.reach("a burst of sixteen beats ends", memory.ended & (memory.beats == 15))
        c.reach("answers from before a reset come", (old != 0) & axi.rvalid & ~c.reset)
    return make


def _lasting(c: Claims, value: Value) -> Value:
    """Whether it was so in each of the last three cycles."""
    return value & c.past(value) & c.past(value, 2)


PROOFS = (
    Proof("ReadMaster, 4 clients, 4 under way", read_master(4, 4)),
    Proof("ReadMaster, 4 clients, 16 under way", read_master(4, 16), long=True),
)
