"""Read master: the read channels of one AXI4 port, shared by several clients."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import DATA_BITS, ID_BITS, INCREMENT, SIZE_16_BYTES, Axi4Read
from hw.memory.shapes import ARRIVAL, BURST
from hw.stream.round_robin import RoundRobin

__all__ = ["ReadMaster"]


class ReadMaster(wiring.Component):
    """Send the bursts of `clients` in turn and hand each beat to the client whose ID it bears.

    A client sends a burst only when it has room for all its beats, so `rready` is always high and no
    client waits for another's data. The client's number is the ID: each client gets its own beats in
    order, while the memory may answer different clients in any order, beats interleaved.

    At most `outstanding` bursts are under way; one address every other cycle. A beat reaches its client
    one cycle after its transfer. `error` pulses for each beat with an error response, whose data is
    delivered all the same. `stop` keeps new bursts back; what is on the bus goes its way, and `quiet` is
    high once everything is answered.
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
            "stop": In(1),
            "quiet": Out(1),
            "error": Out(1),
            "axi": Out(Axi4Read()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._clients)
        under_way = Signal(range(self._outstanding + 1))
        issue, finish = Signal(), Signal()

        axi = self.axi
        free = Signal()
        m.d.comb += [
            free.eq(~axi.arvalid & (under_way != self._outstanding) & ~self.stop),
            issue.eq(free & arbiter.requests.any()),
            arbiter.advance.eq(issue),
            axi.arsize.eq(SIZE_16_BYTES),
            axi.arburst.eq(INCREMENT),
        ]
        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        with m.If(issue):
            m.d.sync += axi.arvalid.eq(1)
        for client, burst in enumerate(self.bursts):
            m.d.comb += [
                arbiter.requests[client].eq(burst.valid),
                burst.ready.eq(free & arbiter.grant[client]),
            ]
            with m.If(free & arbiter.grant[client]):
                m.d.sync += [
                    axi.arid.eq(client),
                    axi.araddr.eq(burst.payload.address),
                    axi.arlen.eq(burst.payload.length),
                ]

        valid, last, error = Signal(), Signal(), Signal()
        identity, beat = Signal(ID_BITS, reset_less=True), Signal(DATA_BITS, reset_less=True)
        m.d.comb += [
            axi.rready.eq(1),
            finish.eq(valid & last),
            self.error.eq(valid & error),
            self.quiet.eq((under_way == 0) & ~valid),
        ]
        m.d.sync += [
            valid.eq(axi.rvalid),
            last.eq(axi.rlast),
            error.eq(axi.rresp[1]),
            identity.eq(axi.rid),
            beat.eq(axi.rdata),
            under_way.eq(under_way + issue - finish),
        ]
        for client, beats in enumerate(self.beats):
            m.d.comb += [beats.valid.eq(valid & (identity == client)), beats.payload.eq(beat)]
        return m
