"""Read master: the read channels of one AXI4 port, shared by several clients."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.boards.technology import PLAIN
from hw.memory.axi import DATA_BITS, ID_BITS, INCREMENT, SIZE_16_BYTES, Axi4Read
from hw.memory.limit_check import is_inside
from hw.memory.shapes import ARRIVAL, BURST, MASTER_FAULT
from hw.stream.round_robin import RoundRobin

__all__ = ["ReadMaster"]


class ReadMaster(wiring.Component):
    """Send the bursts of `clients` in turn and hand each beat to the client whose ID it bears.

    A client sends a burst only when it has room for all its beats, so `rready` is always high and no
    client waits for another's data. The client's number is the ID: each client gets its own beats in
    order, while the memory may answer different clients in any order, beats interleaved.

    At most `outstanding` bursts are under way; one address every other cycle, three cycles after its transfer. A beat
    reaches its client one cycle after its transfer, two where wires are slow. `stop` keeps new bursts back; what is on
    the bus goes its way, and `quiet` is high once everything is answered. Beats that nobody asked for, of before a
    reset, are dropped.

    Each burst is compared with blocks `base` to `limit` - 1 (`hw.memory.limit_check`) before it is sent. One that is
    outside never is, nor any behind it until `stop`: `faulty` is high for as long, with response OKAY and the burst's
    address in `fault`. `error`, and `faulty` with it, pulses for each beat with an error response, whose data is
    delivered all the same.

    beat: one has arrived in this cycle; busy: some are under way.
    """

    def __init__(self, clients: int, *, outstanding: int = 16) -> None:
        if not 1 <= clients <= 1 << ID_BITS:
            raise ValueError(f"clients must be 1 to {1 << ID_BITS}, got {clients}")
        if outstanding < 1:
            raise ValueError(f"outstanding must be positive, got {outstanding}")
        self._clients, self._outstanding = clients, outstanding
        super().__init__({
            "bursts": In(stream.Signature(BURST)).array(clients),
            "beats": Out(ARRIVAL).array(clients),
            "base": In(32),
            "limit": In(32),
            "stop": In(1),
            "quiet": Out(1),
            "error": Out(1),
            "faulty": Out(1),
            "fault": Out(MASTER_FAULT),
            "beat": Out(1),
            "busy": Out(1),
            "axi": Out(Axi4Read()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._clients)
        under_way = Signal(range(self._outstanding + 1))
        asked = Signal()  # under_way != 0
        send, finish = Signal(), Signal()

        # the burst that is next: taken, compared a cycle later, sent in the one behind
        axi = self.axi
        waiting, checked, inside = Signal(), Signal(), Signal()
        client, burst = Signal(ID_BITS, reset_less=True), Signal(BURST, reset_less=True)
        free, take = Signal(), Signal()
        m.d.comb += [
            send.eq(checked & inside & ~axi.arvalid & (under_way != self._outstanding) & ~self.stop),
            free.eq((~waiting | send) & ~self.stop),
            take.eq(free & arbiter.requests.any()),
            arbiter.advance.eq(take),
            axi.arsize.eq(SIZE_16_BYTES),
            axi.arburst.eq(INCREMENT),
        ]
        m.d.sync += [
            checked.eq(waiting & ~send & ~self.stop),
            inside.eq(is_inside(burst.address, burst.length, self.base, self.limit)),
        ]
        with m.If(self.stop | send):
            m.d.sync += waiting.eq(0)
        with m.If(take):
            m.d.sync += waiting.eq(1)
        for number, offered in enumerate(self.bursts):
            m.d.comb += [
                arbiter.requests[number].eq(offered.valid),
                offered.ready.eq(free & arbiter.grant[number]),
            ]
            with m.If(free & arbiter.grant[number]):
                m.d.sync += [client.eq(number), burst.eq(offered.payload)]
        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        with m.If(send):
            m.d.sync += [axi.arvalid.eq(1), axi.arid.eq(client), axi.araddr.eq(burst.address),
                         axi.arlen.eq(burst.length)]

        valid, last, response = Signal(), Signal(), Signal(2, reset_less=True)
        identity, beat = Signal(ID_BITS, reset_less=True), Signal(DATA_BITS, reset_less=True)
        left, on_its_way = Signal.like(under_way), Signal()  # on_its_way: a beat, between here and its client
        m.d.comb += [
            axi.rready.eq(1),
            self.beat.eq(valid & asked),
            finish.eq(self.beat & last),
            left.eq(under_way + send - finish),
            self.busy.eq(asked),
            self.error.eq(self.beat & response[1]),
            self.faulty.eq(self.error | (checked & ~inside)),
            self.fault.response.eq(Mux(self.error, response, 0)),
            self.fault.client.eq(Mux(self.error, identity, client)),
            self.fault.address.eq(burst.address),
            self.quiet.eq(~asked & ~valid & ~waiting & ~on_its_way),
        ]
        m.d.sync += [
            valid.eq(axi.rvalid),
            last.eq(axi.rlast),
            response.eq(axi.rresp),
            identity.eq(axi.rid),
            beat.eq(axi.rdata),
            under_way.eq(left),
            asked.eq(left != 0),
        ]
        slow = (platform or PLAIN).slow_wires
        given, later = (m.d.sync, Signal.like(beat)) if slow else (m.d.comb, beat)
        if slow:
            m.d.sync += [later.eq(beat), on_its_way.eq(self.beat)]
        for number, beats in enumerate(self.beats):
            given += beats.valid.eq(self.beat & (identity == number))
            m.d.comb += beats.payload.eq(later)
        return m
