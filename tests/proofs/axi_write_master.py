"""Write master: what AXI asks of it, that nothing leaves its limits, that bursts are whole and beats their clients'."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hw.memory.axi import ID_BITS
from hw.memory.write_master import WriteMaster
from tests.proofs.axi_read_master import inside, limits_rest
from tests.proofs.axi_rules import WriteMemory, burst_rules, channel_rules
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held

__all__ = ["PROOFS", "write_master"]


def write_master(clients: int, outstanding: int, kind: type[WriteMaster] = WriteMaster):
    """The claims of such a unit. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(clients, outstanding=outstanding))
        axi = u.axi
        memory = WriteMemory(c, axi, depth=2 * outstanding, ids=clients)
        stopped = u.stop | c.reset
        for beats in u.i:
            c.assume(held(c, beats, dropped=stopped))
        limits_rest(c, u, Cat(beats.valid for beats in u.i).any())
        # answers due to what was begun before a reset: `stop` is held as long (hw.memory.drain)
        aged = Signal()
        m.d.comb += aged.eq(Cat(old != 0 for old in memory.old).any())
        c.assume(~aged | u.stop)

        channel_rules(c, axi, "aw", "w")
        burst_rules(c, axi, "aw", ids=clients)
        c.claim("BREADY never falls", axi.bready)

        # beats: the burst that is sent, how many of it are left; its first comes with its address
        begins = axi.awvalid & ~c.past(axi.awvalid & ~axi.awready)
        comes = axi.wvalid & ~c.past(axi.wvalid & ~axi.wready)
        left, amid = Signal(4), Signal()  # amid: beats of a burst that has begun are still to come
        now = Mux(begins, axi.awlen[:4], left)
        with m.If(comes):
            m.d.sync += [left.eq(now - 1), amid.eq(now != 0)]
        with m.If(c.reset):
            m.d.sync += amid.eq(0)
        c.claim("the unit counts as the burst's length says", (c.inner("more") == Mux(comes, now != 0, amid)) & (
            ~c.inner("more") | (c.inner("left") == Mux(comes, now, (left + 1)[:4]))))
        counted = ["the unit counts as the burst's length says"]
        c.claim("data begin with their address, and none comes without one", ~comes | (begins ^ amid), given=counted)
        c.claim("no address before the data of the last burst have come", ~begins | ~amid, given=counted)
        c.claim("WLAST with the last beat, and no other", ~comes | (axi.wlast == (now == 0)), given=counted)
        taken = Cat(beats.valid & beats.ready & ~c.reset for beats in u.i)
        beat, strobe, address, length = Signal(128), Signal(16), Signal(40), Signal(4)
        number = Signal(ID_BITS)
        for n, beats in enumerate(u.i):
            with m.If(taken[n]):
                m.d.sync += [beat.eq(beats.payload.data), strobe.eq(beats.payload.strobe), number.eq(n),
                             address.eq(beats.payload.address), length.eq(beats.payload.left)]
        took = c.past(taken.any())
        c.claim("a client's beat goes out in the next cycle, unchanged",
                ~took | (comes & (axi.wdata == beat) & (axi.wstrb == strobe)))
        c.claim("what no client gave writes nothing", took | ~comes | (axi.wstrb == 0))
        c.claim("beats are made up while stopped alone", took | ~comes | c.past(u.stop))
        c.claim("one client at a time", (taken & (taken - 1)) == 0)
        chosen, compared = c.inner("chosen"), ["one client's burst is next"]
        c.claim(compared[0], ((chosen & (chosen - 1)) == 0) & (chosen.any() | ~c.inner("held"))
                & ~(chosen.any() & c.inner("more")))
        for n, beats in enumerate(u.i):
            compared.append(f"what is compared is client {n}'s")
            c.claim(compared[-1], ~(chosen[n] & ~stopped) | (beats.valid & (
                ~c.inner("held") | ((c.inner("address") == beats.payload.address)
                                    & (c.inner("length") == beats.payload.left)))))
        c.claim("an address is that of a client's first beat", ~begins | (took & (
            Cat(axi.awaddr, axi.awlen[:4], axi.awid) == Cat(address, length, number))), induction=3,
            given=compared)
        c.claim("the beats of a burst are one client's", ~took | begins | (number == axi.awid))

        answered = c.past(axi.bvalid & ~c.reset)
        for n, new in enumerate(memory.new):
            sent = axi.awvalid & (axi.awid == n)
            c.claim(f"client {n}'s bursts are counted", c.inner("under_way")[n] == new + sent + (
                answered & (c.inner("identity") == n) & ~c.past(aged)))
            c.claim(f"outstanding bounded for client {n}", new <= outstanding,
                    given=[f"client {n}'s bursts are counted"])
            c.claim(f"idle: all bursts of client {n} are answered", ~u.idle[n] | ((new == 0) & ~sent),
                    given=[f"client {n}'s bursts are counted"])
        waits = Cat(new != 0 for new in memory.new).any()
        each = [f"client {n}'s bursts are counted" for n in range(clients)]
        c.claim("quiet: nothing under way", ~u.quiet | ~(waits | axi.awvalid), given=each)
        c.claim("quiet where all is answered", u.quiet | waits | axi.awvalid | answered, given=each)
        c.claim("an error response is told", u.error == c.past(axi.bvalid & axi.bresp[1] & ~aged & ~c.reset),
                given=each)
        c.claim("no address outside BASE and LIMIT", ~axi.awvalid | inside(axi.awaddr, u.base, u.limit),
                induction=5, given=["quiet: nothing under way", *compared])
        c.reach("as many bursts of a client as allowed", memory.new[0] == outstanding, bound=12 * outstanding)
        c.reach("a burst of sixteen beats ends", memory.written & c.past(axi.wlast == 0) & (axi.awlen == 15))
        c.reach("beats that write nothing end a burst", memory.written & (axi.wstrb == 0) & u.stop)
    return make


PROOFS = (
    Proof("WriteMaster, 2 clients, 2 under way", write_master(2, 2)),
    Proof("WriteMaster, 2 clients, 16 under way", write_master(2, 16), long=True),
)
