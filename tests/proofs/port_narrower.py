"""Port narrower: AXI's rules on the narrow side, and that bursts, data and answers are the master's."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hw.memory.axi import DATA_BITS
from hw.memory.port_narrower import PortNarrower
from tests.proofs.axi_rules import ReadMemory, WriteMemory, burst_rules, channel_rules, held_channel
from tests.proofs.claims import Claims, Proof

__all__ = ["PROOFS", "narrower", "narrower_data"]

_UNDER_WAY = 2  # bursts of a direction, where they are followed; the master has up to sixteen
_HALF = DATA_BITS // 2


def _master(c: Claims, bus) -> None:
    """What the masters have proofs of: channels held, bursts of their block."""
    for channel in ("ar", "aw", "w"):
        c.assume(held_channel(c, bus, channel))
    for channel in ("ar", "aw"):
        address, length = getattr(bus, f"{channel}addr"), getattr(bus, f"{channel}len")
        c.assume(~getattr(bus, f"{channel}valid") | ((length < 16) & (address[:4] == 0) & (
            address[4:8] + length[:4] < 16) & (getattr(bus, f"{channel}id") < 2)))


def narrower(kind: type[PortNarrower] = PortNarrower):
    """AXI's rules on the narrow side, resets at any time. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(2))
        _master(c, u.i)
        _rules(c, u.o)
        _pieces(c, u.i, u.o, "ar")
        _pieces(c, u.i, u.o, "aw")
        _data(c, u.o)
        _halves(c, u)
        c.reach("a burst in two pieces is asked for", u.o.araddr[7] & u.o.arvalid)
    return make


def _rules(c: Claims, bus) -> None:
    channel_rules(c, bus, "ar", "aw")
    c.claim("WVALID waits for READY, its payload stable", held_channel(c, bus, "w"))
    for channel in ("ar", "aw"):
        burst_rules(c, bus, channel, beat_bits=3, ids=2)


def _pieces(c: Claims, i, o, channel: str) -> None:
    """Claim that a burst leaves as one piece or two, the second behind the first, and no other does."""
    m, name = c.m, channel.upper()
    def of(bus, signal: str):
        return getattr(bus, channel + signal)
    address, identity = Signal(40, name=f"{channel}_address"), Signal(4, name=f"{channel}_id")
    length, left = Signal(4, name=f"{channel}_length"), Signal(2, name=f"{channel}_left")
    came, comes = of(i, "valid") & of(i, "ready") & ~c.reset, of(o, "valid") & ~c.past(of(o, "valid") & ~of(o, "ready"))
    with m.If(comes):
        m.d.sync += left.eq(left - 1)
    with m.If(came):
        m.d.sync += [address.eq(of(i, "addr")), identity.eq(of(i, "id")), length.eq(of(i, "len")[:4]),
                     left.eq(1 + of(i, "len")[3])]
    with m.If(c.reset):
        m.d.sync += left.eq(0)
    second = (left == 1) & length[3]
    beats = Mux(second, (length - 7) << 1, Mux(length[3], 16, (length + 1) << 1))
    c.claim(f"{name}: the pieces of the master's burst, each once", ~comes | ((left != 0) & (
        of(o, "addr") == Mux(second, address | 128, address)) & (of(o, "len") + 1 == beats)
        & (of(o, "id") == identity)))
    c.claim(f"{name}: a burst is taken behind the last one's pieces", ~came | (left == comes))


def _data(c: Claims, o) -> None:
    """Claim that each piece has as many data as its address says, WLAST with the last."""
    m = c.m
    left, amid = Signal(4), Signal()
    addresses = o.awvalid & ~c.past(o.awvalid & ~o.awready)
    comes = o.wvalid & ~c.past(o.wvalid & ~o.wready)
    leaves = o.wvalid & o.wready
    now = Mux(addresses, o.awlen[:4], left)
    with m.If(addresses | leaves):
        m.d.sync += [left.eq(now - leaves), amid.eq(~leaves | (now != 0))]
    with m.If(c.reset):
        m.d.sync += amid.eq(0)
    c.claim("data behind their piece's address alone", ~comes | amid | addresses)
    c.claim("no address amid data", ~(addresses & amid))
    c.claim("WLAST with the last beat, and no other", ~o.wvalid | (o.wlast == (now == 0)))


def _halves(c: Claims, u) -> None:
    """Claim that a beat to write goes out in two halves, the lower first."""
    m, i, o = c.m, u.i, u.o
    second = Signal()
    m.d.sync += second.eq((second ^ (o.wvalid & o.wready)) & ~c.reset)
    c.claim("writes: the master's halves, the lower first", ~o.wvalid | (i.wvalid & (
        Cat(o.wdata, o.wstrb) == Mux(second, Cat(i.wdata[_HALF:], i.wstrb[8:]), Cat(i.wdata[:_HALF], i.wstrb[:8])))))
    c.claim("writes: a beat is taken with its second half", (i.wvalid & i.wready) == (o.wvalid & o.wready & second))


def narrower_data(kind: type[PortNarrower] = PortNarrower):
    """Data and answers of one ID, reset at power-up alone. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(1), resets=False)
        i, o = u.i, u.o
        _master(c, i)
        c.assume((~i.arvalid | (i.arid == 0)) & (~i.awvalid | (i.awid == 0)) & i.rready & i.bready)
        c.assume((~o.rvalid | (o.rid == 0)) & (~o.bvalid | (o.bid == 0)))
        reads = ReadMemory(c, o, depth=2 * _UNDER_WAY, identity=0)
        written = WriteMemory(c, o, depth=2 * _UNDER_WAY, ids=1)
        c.assume(reads.own <= 2 * _UNDER_WAY)
        kept = ["a place for each piece under way"]
        c.claim(kept[0], (c.inner("read_ends")[0].level == reads.own + o.arvalid) & (
            c.inner("write_ends")[0].level == written.own[0] + o.awvalid) & (o.arid == 0) & (o.awid == 0), induction=2)

        # reads: lengths of the master's bursts, and what has come of the first of them
        asks, ends = i.arvalid & i.arready, i.rvalid & i.rlast
        count, lengths, beats = Signal(3), [Signal(4, name=f"of_{n}") for n in range(_UNDER_WAY)], Signal(4)
        c.assume(~i.arvalid | (count < _UNDER_WAY))
        m.d.sync += count.eq(count + asks - ends)
        with m.If(i.rvalid):
            m.d.sync += beats.eq(Mux(i.rlast, 0, beats + 1))
        for n, length in enumerate(lengths):
            after = lengths[n + 1] if n + 1 < _UNDER_WAY else length
            with m.If(asks & (count - ends == n)):
                m.d.sync += length.eq(i.arlen)
            with m.Elif(ends):
                m.d.sync += length.eq(after)
        odd, lower, failed = Signal(), Signal(_HALF), Signal()
        with m.If(o.rvalid):
            m.d.sync += odd.eq(~odd)
        with m.If(o.rvalid & ~odd):
            m.d.sync += [lower.eq(o.rdata), failed.eq(o.rresp[1])]
        c.claim("reads: a beat a cycle behind its second half", i.rvalid == c.past(o.rvalid & odd), given=kept)
        c.claim("reads: the memory's halves, the lower first", ~i.rvalid | (
            i.rdata == c.past(Cat(lower, o.rdata))), given=kept)
        c.claim("reads: an error of either half is told", ~i.rvalid | (
            i.rresp[1] == c.past(failed | o.rresp[1])), given=kept)
        c.claim("reads: RLAST with a burst's last beat, and no other", ~i.rvalid | (
            (count != 0) & (i.rlast == (beats == lengths[0]))), bound=12)

        writes, answers = i.awvalid & i.awready, i.bvalid
        pending = Signal(3)
        c.assume(~i.awvalid | (pending < _UNDER_WAY))
        m.d.sync += pending.eq(pending + writes - answers)
        c.claim("writes: an answer for each burst", ~answers | (pending != 0), given=kept, bound=12)
        c.reach("a burst of two pieces is under way, its first beat comes", i.rvalid & (lengths[0] == 8))
        c.reach("a write of two pieces is answered", answers & (o.awlen == 1) & o.awaddr[7], bound=40)
    return make


PROOFS = (Proof("PortNarrower, 2 IDs", narrower()), Proof("PortNarrower's data", narrower_data()))
