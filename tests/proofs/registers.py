"""Register slave: AXI4-Lite's handshakes, each access answered once, and what the map says of each register."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hw.control.registers import Registers
from models.machine.registers import REGISTERS
from tests.proofs.axi_rules import held_channel
from tests.proofs.claims import Claims, Proof

__all__ = ["PROOFS", "registers"]

_BYTES = 4


def registers(kind: type[Registers] = Registers):
    """The claims of the whole map. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind())
        bus = u.bus
        for channel in ("aw", "w", "ar"):
            c.assume(_held(c, bus, channel))
        for channel in ("b", "r"):
            c.claim(f"{channel.upper()}VALID waits for READY, its payload stable", held_channel(c, bus, channel))
            c.claim(f"no {channel.upper()}VALID after reset", ~c.past(c.reset) | ~getattr(bus, f"{channel}valid"))
        c.claim("every access is answered OKAY", (bus.bresp == 0) & (bus.rresp == 0))

        # what came, and is not answered: of each channel one
        addressed, loaded, asked = Signal(), Signal(), Signal()
        write_word, data, strobe, read_word = Signal(10), Signal(32), Signal(4), Signal(10)
        answers = bus.bvalid & ~c.past(bus.bvalid & ~bus.bready)
        reads = bus.rvalid & ~c.past(bus.rvalid & ~bus.rready)
        with m.If(answers):
            m.d.sync += [addressed.eq(0), loaded.eq(0)]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), write_word.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [loaded.eq(1), data.eq(bus.wdata), strobe.eq(bus.wstrb)]
        with m.If(reads):
            m.d.sync += asked.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [asked.eq(1), read_word.eq(bus.araddr[2:])]
        with m.If(c.reset):
            m.d.sync += [addressed.eq(0), loaded.eq(0), asked.eq(0)]
        c.claim("a write is answered once, behind its address and its data", ~answers | (addressed & loaded))
        c.claim("a read is answered once, behind its address", ~reads | asked)
        c.claim("one access of each direction at a time", ~(
            (addressed & bus.awready & ~answers) | (loaded & bus.wready & ~answers) | (asked & bus.arready & ~reads)))
        for name, waits in (("write", addressed & loaded & ~answers), ("read", asked & ~reads)):
            patience = Signal(3, name=f"{name}_patience")
            ready = bus.bready if name == "write" else bus.rready
            m.d.sync += patience.eq(Mux(waits & ready & ~c.reset, patience + (patience != 7), 0))
            c.claim(f"a {name} is answered", patience < 5)

        latched = ["the unit keeps what came"]
        waits = Cat(addressed & ~answers, loaded & ~answers, asked & ~reads)
        asks = c.inner("fetched") | c.inner("selected")
        c.claim(latched[0], (waits == Cat(c.inner("addressed"), c.inner("loaded"), asks)) & (
            ~(addressed & ~answers) | (c.inner("write_word") == write_word)) & (
            ~(loaded & ~answers) | (Cat(c.inner("write_data"), c.inner("strobes")) == Cat(data, strobe))) & (
            ~(asked & ~reads) | (c.inner("read_word") == read_word)))
        mask = Cat(bit.replicate(8) for bit in strobe)
        for register in REGISTERS:
            port, hit = getattr(u, register.name.lower()), answers & (write_word == register.offset // _BYTES)
            if register.access == "rw":
                before = Mux(c.past(c.reset) | ~c.later(), register.reset, c.past(port))
                c.claim(f"{register.name}: written by its own writes, by strobes",
                        port == Mux(hit, (data & mask) | (before & ~mask), before), induction=3, given=latched)
            elif register.access == "wp":
                c.claim(f"{register.name}: for one cycle what is written", port == Mux(hit, data & mask, 0),
                        induction=3, given=latched)
        expected = 0
        for register in REGISTERS:
            if register.access != "wp":
                here = read_word == register.offset // _BYTES
                expected = expected | Mux(here, c.past(getattr(u, register.name.lower())), 0)
        c.claim("a read gives its register, as it was a cycle ago, and 0 elsewhere", ~reads | (bus.rdata == expected),
                induction=5, given=latched)
        c.reach("a write is answered late", bus.bvalid & bus.bready & c.past(bus.bvalid, 3))
        c.reach("a read gives more than 0", reads & (bus.rdata != 0))
    return make


def _held(c: Claims, bus, channel: str):
    names = {"aw": ("addr",), "w": ("data", "strb"), "ar": ("addr",)}[channel]
    valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
    payload = Cat(getattr(bus, channel + name) for name in names)
    return ~c.past(valid & ~ready & ~c.reset) | (valid & (payload == c.past(payload)))


PROOFS = (Proof("Registers", registers()),)
