"""A core that only makes traffic: every port reads pieces of memory in full bursts, and may write now and then.

Registers (bytes): 0x04 start, a bit a port. A port's own begin at 0x100 * (port + 1): +0x00 address of the first
burst (40 bits), +0x08 bytes to read, +0x0C from one piece's address to the next's, +0x10 address of the first write
(40 bits), +0x18 beats read between two writes (0: no writes), +0x1C beats a write, 1 to 16, +0x20 bytes a piece, a
power of two from 256 on, by which pieces are aligned; read-only +0x24: cycles from the start to the last beat read.
``irq`` is high once every started port has its last beat and answer.
"""

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, flipped

from hw.memory.axi import ADDRESS_BITS, INCREMENT, SIZE_16_BYTES, Axi4, Axi4Lite, connect_flat, flat_members
from sim.runner import emit_verilog
from sim.verilated_core import VerilatedCore

PORTS = 4
BURST_BEATS, BEAT_BYTES = 16, 16
BURST_BYTES = BURST_BEATS * BEAT_BYTES
START = 0x04
ADDRESS, BYTES, STRIDE, WRITE_ADDRESS, WRITE_EVERY, WRITE_BEATS, PIECE, CYCLES = 0, 8, 12, 16, 24, 28, 32, 36


class TrafficEngine(wiring.Component):
    """Bursts as fast as the port takes their addresses; beats are always taken, and counted."""

    start: In(1)
    address: In(ADDRESS_BITS)
    bytes: In(32)
    stride: In(32)
    piece: In(32)
    write_address: In(ADDRESS_BITS)
    write_every: In(32)
    write_beats: In(5)
    busy: Out(1)
    cycles: Out(32)
    axi: Out(Axi4())

    def elaborate(self, platform) -> Module:
        m = Module()
        axi = self.axi
        to_send, to_take = Signal(32), Signal(32)  # bursts, beats
        following = Signal(ADDRESS_BITS)
        m.d.comb += [
            following.eq(axi.araddr + BURST_BYTES),
            axi.arvalid.eq(to_send != 0), axi.arlen.eq(BURST_BEATS - 1), axi.arsize.eq(SIZE_16_BYTES),
            axi.arburst.eq(INCREMENT), axi.rready.eq(1),
        ]
        with m.If(axi.arvalid & axi.arready):
            jump = Mux(following & (self.piece - 1) == 0, self.stride - self.piece, 0)
            m.d.sync += [axi.araddr.eq(following + jump), to_send.eq(to_send - 1)]
        with m.If(axi.rvalid):
            m.d.sync += to_take.eq(to_take - 1)
        with m.If(to_take != 0):
            m.d.sync += self.cycles.eq(self.cycles + 1)

        since, due, sent, answered = Signal(32), Signal(16), Signal(16), Signal(16)  # beats, writes
        beats, awaiting = Signal(5), Signal()
        wrote = Signal()
        m.d.comb += [
            wrote.eq(axi.rvalid & (self.write_every != 0) & (since + 1 == self.write_every)),
            axi.awvalid.eq(awaiting), axi.awlen.eq(self.write_beats - 1), axi.awsize.eq(SIZE_16_BYTES),
            axi.awburst.eq(INCREMENT), axi.wvalid.eq(beats != 0), axi.wlast.eq(beats == 1), axi.wstrb.eq(0xFFFF),
            axi.bready.eq(1), self.busy.eq((to_take != 0) | (due != answered)),
        ]
        with m.If(axi.rvalid):
            m.d.sync += since.eq(Mux(wrote, 0, since + 1))
        m.d.sync += due.eq(due + wrote)
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [awaiting.eq(0), axi.awaddr.eq(axi.awaddr + self.write_beats * BEAT_BYTES)]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += beats.eq(beats - 1)
        with m.If((due != sent) & ~awaiting & (beats == 0)):
            m.d.sync += [awaiting.eq(1), beats.eq(self.write_beats), sent.eq(sent + 1)]
        with m.If(axi.bvalid):
            m.d.sync += answered.eq(answered + 1)

        with m.If(self.start):
            m.d.sync += [
                axi.araddr.eq(self.address), to_send.eq(self.bytes // BURST_BYTES),
                to_take.eq(self.bytes // BEAT_BYTES), self.cycles.eq(0),
                axi.awaddr.eq(self.write_address), since.eq(0), due.eq(0), sent.eq(0), answered.eq(0),
            ]
        return m


class TrafficCore(wiring.Component):
    """Registers and one `TrafficEngine` a port, with the port names of the accelerator's top."""

    def __init__(self):
        members = {"irq": Out(1), **flat_members("s_axi", Axi4Lite().flip())}
        for port in range(PORTS):
            members |= flat_members(f"m{port}_axi", Axi4())
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        bus = flipped(Axi4Lite().create(path=("bus",)))
        connect_flat(m, bus, self, "s_axi")
        engines = [TrafficEngine() for _ in range(PORTS)]
        started, running = Signal(PORTS), Signal()
        write = Signal()
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid), bus.awready.eq(write), bus.wready.eq(write),
            bus.arready.eq(~bus.rvalid), running.eq(0), self.irq.eq((started != 0) & ~running),
        ]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(write):
            m.d.sync += bus.bvalid.eq(1)
            with m.If(bus.awaddr == START):
                m.d.sync += started.eq(bus.wdata)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += bus.rvalid.eq(1)
        for port, engine in enumerate(engines):
            m.submodules[f"engine{port}"] = engine
            connect_flat(m, engine.axi, self, f"m{port}_axi")
            m.d.sync += engine.start.eq(write & (bus.awaddr == START) & bus.wdata[port])
            with m.If(engine.busy | engine.start):
                m.d.comb += running.eq(1)
            with m.If(write):
                for offset, target in {
                    ADDRESS: engine.address[:32], ADDRESS + 4: engine.address[32:], BYTES: engine.bytes,
                    STRIDE: engine.stride, WRITE_ADDRESS: engine.write_address[:32],
                    WRITE_ADDRESS + 4: engine.write_address[32:], WRITE_EVERY: engine.write_every,
                    WRITE_BEATS: engine.write_beats, PIECE: engine.piece,
                }.items():
                    with m.If(bus.awaddr == 0x100 * (port + 1) + offset):
                        m.d.sync += target.eq(bus.wdata)
            with m.If(bus.arvalid & bus.arready & (bus.araddr == 0x100 * (port + 1) + CYCLES)):
                m.d.sync += bus.rdata.eq(engine.cycles)
        return m


class Traffic:
    """A `TrafficCore` before ``megabytes`` of memory at address 0, and its registers by name."""

    def __init__(self, megabytes: int, **memory):
        self.core = VerilatedCore(emit_verilog(TrafficCore()), PORTS, memory=np.zeros(megabytes << 20, np.uint8))
        self.core.configure(**memory)

    def run(self, addresses, length, *, piece=BURST_BYTES, stride=None, writes=None, writers=range(PORTS)):
        """All ports that have an address read ``length`` bytes, a piece every ``stride`` bytes; their cycles.

        ``writes`` is (address of port 0's, bytes between the ports', beats read between two, beats of one), for
        the ports in ``writers``.
        """
        mask = 0
        for port, address in enumerate(addresses):
            if address is None:
                continue
            mask |= 1 << port
            base, apart, every, beats = writes if writes and port in writers else (0, 0, 0, 1)
            for offset, value in ((ADDRESS, address), (BYTES, length), (PIECE, piece), (STRIDE, stride or piece),
                                  (WRITE_ADDRESS, base + port * apart), (WRITE_EVERY, every), (WRITE_BEATS, beats)):
                self.core.write_register(0x100 * (port + 1) + offset, value)
        self.core.write_register(START, mask)
        self.core.run_until_irq(4_000_000)
        return [self.core.read_register(0x100 * (port + 1) + CYCLES) if mask >> port & 1 else 0
                for port in range(PORTS)]
