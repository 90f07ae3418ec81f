"""Rules of AXI (IHI 0022: A3.2.1, A3.3.1, A3.4) for a master's channels, and what a memory behind them may do."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal, Value

from hw.memory.axi import INCREMENT
from tests.proofs.claims import Claims

__all__ = ["channel_rules", "burst_rules", "held_channel", "ReadMemory", "WriteMemory"]

_PAYLOADS = {"ar": ("id", "addr", "len", "size", "burst"), "aw": ("id", "addr", "len", "size", "burst"),
             "w": ("data", "strb", "last"), "r": ("id", "data", "resp", "last"), "b": ("id", "resp")}
_BLOCK_BITS = 12


def held_channel(c: Claims, bus, channel: str, *, reset: Value | None = None) -> Value:
    """A3.2.1: VALID stays until READY, with what goes with it. reset: of whoever gives VALID."""
    valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
    payload = Cat(getattr(bus, channel + name) for name in _PAYLOADS[channel] if hasattr(bus, channel + name))
    waited = c.past(valid & ~ready & ~(c.reset if reset is None else reset))
    return ~waited | (valid & (payload == c.past(payload)))


def channel_rules(c: Claims, bus, *channels: str) -> None:
    """Claim A3.2.1 of channels, and A3.1.2: no VALID in the cycle behind a reset."""
    for channel in channels:
        name = f"{channel.upper()}VALID"
        c.claim(f"{name} waits for READY, its payload stable", held_channel(c, bus, channel))
        c.claim(f"no {name} after reset", ~c.past(c.reset) | ~getattr(bus, f"{channel}valid"))


def burst_rules(c: Claims, bus, channel: str, *, beat_bits: int = 4, ids: int = 16) -> None:
    """Claim A3.4.1 of an address channel: at most 16 beats, whole ones, INCR, none across 4 KiB; IDs below `ids`."""
    valid, length = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}len")
    address = getattr(bus, f"{channel}addr")
    last = Signal(_BLOCK_BITS + 1, name=f"{channel}_last")
    c.m.d.comb += last.eq(address[:_BLOCK_BITS] + (length << beat_bits))
    name = channel.upper()
    c.claim(f"{name}: at most 16 beats, whole and incrementing",
            ~valid | ((length < 16) & (getattr(bus, f"{channel}size") == beat_bits)
                      & (getattr(bus, f"{channel}burst") == INCREMENT) & (address[:beat_bits] == 0)))
    c.claim(f"{name}: no burst crosses 4 KiB", ~valid | ~last[_BLOCK_BITS])
    c.claim(f"{name}: IDs are the clients'", ~valid | (getattr(bus, f"{channel}id") < ids))


class ReadMemory:
    """Read channels' other side: answers bursts, in order by ID, those of different IDs in any order and mixed.

    It is not reset with the unit: `under_way` counts bursts since power-up, those from before a reset included.
    It keeps of one ID, any, the lengths of bursts under way; of the others it may answer as it likes, yet not more
    bursts than were asked for.
    """

    def __init__(self, c: Claims, bus, *, depth: int, identity: Value) -> None:
        m = c.m
        self.asked, self.ended = Signal(), Signal()
        self.under_way = Signal(range(depth + 2))
        own = Signal(range(depth + 2))  # of the ID followed
        lengths = [Signal(4, name=f"length_{n}") for n in range(depth)]
        beats = Signal(4)  # of the first of those that have come
        asks = bus.arvalid & bus.arready
        came = bus.rvalid & bus.rready
        m.d.comb += [self.asked.eq(asks), self.ended.eq(came & bus.rlast)]
        m.d.sync += self.under_way.eq(self.under_way + asks - self.ended)
        ask, beat = Signal(), Signal()
        end = beat & bus.rlast
        m.d.comb += [ask.eq(asks & (bus.arid == identity)), beat.eq(came & (bus.rid == identity))]
        m.d.sync += own.eq(own + ask - end)
        with m.If(beat):
            m.d.sync += beats.eq(Mux(bus.rlast, 0, beats + 1))
        for n, length in enumerate(lengths):
            after = lengths[n + 1] if n + 1 < depth else length
            with m.If(ask & (own - end == n)):
                m.d.sync += length.eq(bus.arlen)
            with m.Elif(end):
                m.d.sync += length.eq(after)
        self.own, self.beats, self.length, self.ask, self.beat = own, beats, lengths[0], ask, beat
        c.assume(held_channel(c, bus, "r", reset=0))
        c.assume(~bus.rvalid | (self.under_way != 0))
        c.assume(~(bus.rvalid & (bus.rid == identity)) | ((own != 0) & (bus.rlast == (beats == lengths[0]))))
        c.assume(~(bus.rvalid & (bus.rid != identity)) | (self.under_way > own))


class WriteMemory:
    """Write channels' other side: answers each burst once it has its address and all its data. Not reset with the unit.

    own: of each ID, bursts addressed and not answered, those from before a reset, which are `old`, included. Addresses
    and ends of data are counted apart, since either may come first.
    """

    def __init__(self, c: Claims, bus, *, depth: int, ids: int) -> None:
        m = c.m
        self.written, self.data = Signal(), Signal(range(depth * ids + 2))  # bursts whose data have come, not answered
        self.own = [Signal(range(depth + 2), name=f"own_{n}") for n in range(ids)]
        self.old = [Signal(range(depth + 2), name=f"old_{n}") for n in range(ids)]
        self.new = [Signal(range(depth + 2), name=f"new_{n}") for n in range(ids)]
        answered = bus.bvalid & bus.bready
        m.d.comb += self.written.eq(bus.wvalid & bus.wready & bus.wlast)
        m.d.sync += self.data.eq(self.data + self.written - answered)
        due = Signal()
        for n, (own, old, new) in enumerate(zip(self.own, self.old, self.new, strict=True)):
            asks, ends = bus.awvalid & bus.awready & (bus.awid == n), answered & (bus.bid == n)
            with m.If(bus.bid == n):
                m.d.comb += due.eq(own != 0)
            m.d.sync += [own.eq(own + asks - ends), old.eq(Mux(c.reset, own + asks - ends, old - (ends & (old != 0))))]
            m.d.comb += new.eq(own - old)
            c.assume(own <= depth)
        c.assume(held_channel(c, bus, "b", reset=0))
        c.assume(~bus.bvalid | (due & (self.data != 0)))
