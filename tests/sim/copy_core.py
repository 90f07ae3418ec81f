"""A small core with the ports of a real one: registers, an interrupt, and an engine a port that copies memory.

Register map (bytes): 0x00 ID; 0x04 start, a bit a port; 0x08 done, a bit a port; 0x0C error, a bit a port;
0x10 source, 0x18 destination (40 bits each); 0x20 beats; 0x24 fault, 0 or 1 + an index into `FAULTS`. Offsets
from 0x40 on are refused with SLVERR. ``irq`` is high while a start has been answered by every port that it named.
Source and destination must have the same offset in their 4 KiB pages, or few enough beats to cross none.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, flipped

from hw.memory.axi import (
    ADDRESS_BITS,
    DATA_BITS,
    INCREMENT,
    SIZE_16_BYTES,
    Axi4,
    Axi4Lite,
    Response,
    connect_flat,
    flat_members,
)
from hw.memory.port_narrower import PortNarrower

IDENTITY = 0x434F5059
BEAT = DATA_BITS // 8
PAGE_BEATS = 4096 // BEAT
FAULTS = ("long burst", "crosses 4 KiB", "early last", "address changes", "unaligned", "narrow")


class CopyEngine(wiring.Component):
    """Copies beats in bursts of up to 16, two bursts with the IDs 0 and 1 in flight, written in order."""

    start: In(1)
    source: In(ADDRESS_BITS)
    target: In(ADDRESS_BITS)
    beats: In(16)
    fault: In(range(len(FAULTS) + 1))
    done: Out(1)
    error: Out(1)
    axi: Out(Axi4())

    def elaborate(self, platform) -> Module:
        m = Module()
        axi = self.axi
        faulty = {name: self.fault == index + 1 for index, name in enumerate(FAULTS)}
        m.submodules.fifo0 = fifo0 = SyncFIFOBuffered(width=DATA_BITS, depth=32)
        m.submodules.fifo1 = fifo1 = SyncFIFOBuffered(width=DATA_BITS, depth=32)
        m.submodules.lengths = lengths = SyncFIFOBuffered(width=6, depth=4)
        longest, to_page = Signal(6), Signal(9)
        m.d.comb += longest.eq(Mux(faulty["long burst"], 32, 16))

        def burst(address, left):
            m.d.comb += to_page.eq(Mux(faulty["crosses 4 KiB"], longest, PAGE_BEATS - address[4:12]))
            short = Mux(left < to_page, left, to_page)
            return Mux(short < longest, short, longest)

        bad, error = Signal(), self.error
        unanswered, issued = Signal(signed(8)), Signal()  # read bursts without their last beat
        m.d.comb += bad.eq((axi.rvalid & axi.rresp[1]) | (axi.bvalid & axi.bresp[1]) | (self.done & (unanswered != 0)))
        m.d.sync += unanswered.eq(Mux(self.start, 0, unanswered + issued - (axi.rvalid & axi.rlast)))
        m.d.sync += error.eq((error | bad) & ~self.start)

        # Reads: a burst goes out when the last one of its ID has been written; its length is queued for the writer.
        address, left, turn, length = Signal(ADDRESS_BITS), Signal(16), Signal(), Signal(6)
        busy = Signal(2)
        m.d.comb += [length.eq(burst(address, left)), axi.arsize.eq(SIZE_16_BYTES), axi.arburst.eq(INCREMENT)]
        room = ~busy.bit_select(turn, 1) & lengths.w_rdy
        target, target_left, write_turn = Signal(ADDRESS_BITS), Signal(16), Signal()
        with m.If(self.start):
            m.d.sync += [address.eq(self.source), left.eq(self.beats), target.eq(self.target)]
            m.d.sync += [target_left.eq(self.beats), turn.eq(0), write_turn.eq(0), busy.eq(0)]
        m.d.comb += [lengths.w_data.eq(length), lengths.w_en.eq(0)]
        with m.If((left != 0) & room & ~axi.arvalid):
            m.d.sync += [axi.arvalid.eq(1), axi.araddr.eq(address), axi.arlen.eq(length - 1), axi.arid.eq(turn)]
            m.d.sync += [busy.bit_select(turn, 1).eq(1), turn.eq(~turn), left.eq(left - length)]
            m.d.sync += address.eq(address + length * BEAT)
            m.d.comb += [lengths.w_en.eq(1), issued.eq(1)]
        with m.Elif(axi.arvalid & axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        with m.If(faulty["address changes"] & axi.arvalid & ~axi.arready):
            m.d.sync += axi.araddr.eq(axi.araddr + BEAT)
        m.d.comb += [
            axi.rready.eq(1),
            fifo0.w_data.eq(axi.rdata),
            fifo1.w_data.eq(axi.rdata),
            fifo0.w_en.eq(axi.rvalid & (axi.rid == 0)),
            fifo1.w_en.eq(axi.rvalid & (axi.rid == 1)),
        ]

        # Writes: one burst at a time, from the FIFO whose turn it is.
        chosen = Array([fifo0, fifo1])
        ready, data = Array([f.r_rdy for f in chosen])[write_turn], Array([f.r_data for f in chosen])[write_turn]
        sent, total = Signal(6), Signal(6)
        m.d.comb += [
            axi.awsize.eq(Mux(faulty["narrow"], 2, SIZE_16_BYTES)),
            axi.awburst.eq(INCREMENT),
            axi.wdata.eq(data),
            axi.wstrb.eq((1 << BEAT) - 1),
            axi.bready.eq(1),
            axi.wlast.eq(sent + Mux(faulty["early last"], 2, 1) == total),
        ]
        with m.FSM():
            with m.State("WAIT"):
                with m.If(lengths.r_rdy):
                    m.d.comb += lengths.r_en.eq(1)
                    m.d.sync += [total.eq(lengths.r_data), sent.eq(0), axi.awvalid.eq(1), axi.awid.eq(write_turn)]
                    offset = Mux(faulty["unaligned"], 4, 0)
                    m.d.sync += [axi.awaddr.eq(target + offset), axi.awlen.eq(lengths.r_data - 1)]
                    m.next = "ADDRESS"
            with m.State("ADDRESS"):
                with m.If(axi.awready):
                    m.d.sync += axi.awvalid.eq(0)
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += axi.wvalid.eq(ready)
                with m.If(axi.wvalid & axi.wready):
                    m.d.comb += [fifo0.r_en.eq(~write_turn), fifo1.r_en.eq(write_turn)]
                    m.d.sync += sent.eq(sent + 1)
                    with m.If(sent + 1 == total):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(axi.bvalid):
                    m.d.sync += [busy.bit_select(write_turn, 1).eq(0), write_turn.eq(~write_turn)]
                    m.d.sync += [target.eq(target + total * BEAT), target_left.eq(target_left - total)]
                    m.next = "WAIT"
        m.d.comb += self.done.eq(target_left == 0)
        return m


class CopyCore(wiring.Component):
    """Registers and one `CopyEngine` a port, behind a `PortNarrower` where ports have 64 bits, with the port names of
    the accelerator's top.
    """

    def __init__(self, ports: int, bits: int = DATA_BITS):
        self.ports, self.bits = ports, bits
        members = {"irq": Out(1), **flat_members("s_axi", Axi4Lite().flip())}
        for port in range(ports):
            members |= flat_members(f"m{port}_axi", Axi4(bits))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        bus = flipped(Axi4Lite().create(path=("bus",)))
        connect_flat(m, bus, self, "s_axi")
        start, started = Signal(self.ports), Signal(self.ports)
        source, target, beats = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(16)
        fault = Signal(range(len(FAULTS) + 1))
        engines = [CopyEngine() for _ in range(self.ports)]
        for port, engine in enumerate(engines):
            m.submodules[f"engine{port}"] = engine
            interface = engine.axi
            if self.bits != DATA_BITS:
                m.submodules[f"narrower{port}"] = narrower = PortNarrower(2)
                wiring.connect(m, engine.axi, narrower.i)
                interface = narrower.o
            connect_flat(m, interface, self, f"m{port}_axi")
            m.d.comb += [engine.start.eq(start[port]), engine.source.eq(source), engine.target.eq(target)]
            m.d.comb += [engine.beats.eq(beats), engine.fault.eq(fault)]
        done, error = Cat(e.done for e in engines), Cat(e.error for e in engines)
        m.d.comb += self.irq.eq((started != 0) & ~start.any() & (started & ~done == 0))

        m.d.comb += [bus.awready.eq(write := Signal()), bus.wready.eq(write)]
        m.d.comb += write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid)
        m.d.sync += start.eq(0)
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(bus.awaddr >= 0x40, Response.SLVERR, Response.OKAY))]
            with m.Switch(bus.awaddr):
                with m.Case(0x04):
                    m.d.sync += [start.eq(bus.wdata), started.eq(bus.wdata)]
                with m.Case(0x10):
                    m.d.sync += source[:32].eq(bus.wdata)
                with m.Case(0x14):
                    m.d.sync += source[32:].eq(bus.wdata)
                with m.Case(0x18):
                    m.d.sync += target[:32].eq(bus.wdata)
                with m.Case(0x1C):
                    m.d.sync += target[32:].eq(bus.wdata)
                with m.Case(0x20):
                    m.d.sync += beats.eq(bus.wdata)
                with m.Case(0x24):
                    m.d.sync += fault.eq(bus.wdata)
        m.d.comb += bus.arready.eq(~bus.rvalid)
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(Mux(bus.araddr >= 0x40, Response.SLVERR, Response.OKAY))]
            for offset, value in {0x00: IDENTITY, 0x04: started, 0x08: done, 0x0C: error, 0x20: beats}.items():
                with m.If(bus.araddr == offset):
                    m.d.sync += bus.rdata.eq(value)
        return m
