"""The serial link's masters: what AXI asks of them, one access at a time, each told once with its own answer."""

from __future__ import annotations

from amaranth.hdl import Signal

from hw.link.memory_access import MemoryAccess
from hw.link.register_access import RegisterAccess
from tests.proofs.axi_rules import burst_rules, channel_rules, held_channel
from tests.proofs.claims import Claims, Proof

__all__ = ["PROOFS", "memory_access", "register_access"]


def _access(c: Claims, u, bus) -> None:
    """Claims of either. The other side is reset with the unit, where that is at all."""
    m = c.m
    c.assume(~(u.start & u.busy))
    channel_rules(c, bus, "ar", "aw", "w")

    # what was asked for last, and how far the bus has come with it
    under_way, write = Signal(), Signal()
    address, data = Signal.like(u.address), Signal.like(u.data)
    asked, addressed, written = Signal(), Signal(), Signal()
    read_ends, write_ends = bus.rvalid & bus.rready, bus.bvalid & bus.bready
    for sent, channel in ((asked, "ar"), (addressed, "aw"), (written, "w")):
        with m.If(getattr(bus, f"{channel}valid") & getattr(bus, f"{channel}ready")):
            m.d.sync += sent.eq(1)
        c.claim(f"{channel.upper()} once an access", ~(getattr(bus, f"{channel}valid") & sent))
    with m.If(read_ends | write_ends):
        m.d.sync += [under_way.eq(0), asked.eq(0), addressed.eq(0), written.eq(0)]
    with m.If(u.start):
        m.d.sync += [under_way.eq(1), write.eq(u.write), address.eq(u.address), data.eq(u.data)]
    with m.If(c.reset):
        m.d.sync += [under_way.eq(0), asked.eq(0), addressed.eq(0), written.eq(0)]
    for channel in ("r", "b"):
        c.assume(held_channel(c, bus, channel))
    c.assume(~bus.rvalid | asked)
    c.assume(~bus.bvalid | (addressed & written))

    c.claim("busy from the cycle behind start to the answer", u.busy == under_way)
    c.claim("addresses and data are those that were given",
            (~bus.arvalid | (under_way & ~write & (bus.araddr == address)))
            & (~bus.awvalid | (under_way & write & (bus.awaddr == address)))
            & (~bus.wvalid | (under_way & write & (bus.wdata == data) & bus.wstrb.all())))
    c.claim("reads ask, writes write", ~under_way | ((write | ~(addressed | written)) & (~write | ~asked)))
    c.claim("an access goes out at once", ~c.past(u.start & ~c.reset) | (
        (bus.arvalid == ~write) & (bus.awvalid == write) & (bus.wvalid == write)))
    c.claim("done with the answer, once", u.done == (read_ends | write_ends))
    c.claim("an answer is taken at once", ~(bus.rvalid & ~bus.rready) & ~(bus.bvalid & ~bus.bready))
    c.claim("an error response is told, and no other", ~u.done | (
        u.error == ((read_ends & bus.rresp[1]) | (write_ends & bus.bresp[1]))))
    c.claim("a read's data", ~(u.done & ~write) | (u.result == bus.rdata))
    c.reach("a read ends", u.done & ~write)
    c.reach("a write ends whose data went before its address", u.done & write & c.past(written & ~addressed, 3))


def memory_access(kind: type[MemoryAccess] = MemoryAccess):
    """The claims of the memory's master, which is never reset alone. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(), resets=False)
        axi = u.axi
        c.assume(u.address[:4] == 0)
        _access(c, u, axi)
        for channel in ("ar", "aw"):
            burst_rules(c, axi, channel, ids=1)
            c.claim(f"{channel.upper()}: one beat", ~getattr(axi, f"{channel}valid")
                    | (getattr(axi, f"{channel}len") == 0))
        c.claim("WLAST with the beat", ~axi.wvalid | axi.wlast)
    return make


def register_access(kind: type[RegisterAccess] = RegisterAccess):
    """The claims of the registers' master. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind())
        _access(c, u, u.bus)
    return make


PROOFS = (Proof("MemoryAccess", memory_access()), Proof("RegisterAccess", register_access()))
