"""Write master: the write channels of one AXI4 port, bursts of several clients."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ID_BITS, INCREMENT, SIZE_16_BYTES, Axi4Write
from hw.memory.shapes import WRITE_BEAT
from hw.stream.round_robin import RoundRobin

__all__ = ["WriteMaster"]


class WriteMaster(wiring.Component):
    """Write the bursts of `clients` in turn; the client's number is the ID.

    `idle` bit c is high when every burst that client c handed over is answered, hence visible to all
    readers; it falls the cycle after a transfer. At most `outstanding` bursts of a client are under way; a
    burst every other cycle, its beats one a cycle. `error` pulses for each error response. `stop` refuses new beats: a
    burst that has begun ends with beats that write nothing. `quiet` is high once everything is answered.
    """

    def __init__(self, clients: int, *, outstanding: int = 16) -> None:
        if not 1 <= clients <= 1 << ID_BITS:
            raise ValueError(f"clients must be 1 to {1 << ID_BITS}, got {clients}")
        if outstanding < 1:
            raise ValueError(f"outstanding must be positive, got {outstanding}")
        self._clients, self._outstanding = clients, outstanding
        super().__init__({
            "i": In(stream.Signature(WRITE_BEAT)).array(clients),
            "idle": Out(clients),
            "stop": In(1),
            "quiet": Out(1),
            "error": Out(1),
            "axi": Out(Axi4Write()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._clients)

        axi = self.axi
        free, left, owner = Signal(), Signal(WRITE_BEAT["left"].width), Signal(self._clients)
        more, final = Signal(), Signal()  # beats are left, one is
        amid = more & (~axi.wvalid | axi.wready)  # of a burst, and its next beat may go
        chosen, begun = Signal(self._clients), Signal()  # whose burst is next: known before it may begin
        choosing = (chosen == 0) & ~more
        m.d.comb += [
            free.eq(~axi.awvalid & ~axi.wvalid & ~self.stop),
            begun.eq(free & (chosen != 0)),
            arbiter.advance.eq(choosing),
            axi.awsize.eq(SIZE_16_BYTES),
            axi.awburst.eq(INCREMENT),
            axi.bready.eq(1),
        ]
        with m.If(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        with m.If(axi.wready):
            m.d.sync += axi.wvalid.eq(0)
        with m.If(amid & self.stop):
            m.d.sync += [axi.wvalid.eq(1), axi.wstrb.eq(0), axi.wlast.eq(final), left.eq(left - 1), more.eq(~final),
                         final.eq(left == 2)]

        with m.If(self.stop | begun):
            m.d.sync += chosen.eq(0)
        with m.Elif(choosing):
            m.d.sync += chosen.eq(arbiter.grant)

        answered, identity = Signal(), Signal(ID_BITS, reset_less=True)
        m.d.sync += [
            answered.eq(axi.bvalid),
            identity.eq(axi.bid),
            self.error.eq(axi.bvalid & axi.bresp[1]),
        ]

        under_way = [Signal(range(self._outstanding + 1), name=f"under_way_{client}")
                     for client in range(self._clients)]
        for client, beat in enumerate(self.i):
            count, begin, going, finish = under_way[client], Signal(), Signal(), Signal()
            m.d.comb += [
                arbiter.requests[client].eq(beat.valid & (count != self._outstanding)),
                begin.eq(free & chosen[client]),
                going.eq(amid & owner[client] & ~self.stop),
                finish.eq(answered & (identity == client)),
                beat.ready.eq(begin | going),
                self.idle[client].eq(count == 0),
            ]
            m.d.sync += count.eq(count + begin - finish)
            with m.If(begin):
                m.d.sync += [
                    axi.awvalid.eq(1),
                    axi.awid.eq(client),
                    axi.awaddr.eq(beat.payload.address),
                    axi.awlen.eq(beat.payload.left),
                    owner.eq(1 << client),
                ]
            with m.If(begin | (going & beat.valid)):
                m.d.sync += [
                    axi.wvalid.eq(1),
                    axi.wdata.eq(beat.payload.data),
                    axi.wstrb.eq(beat.payload.strobe),
                    axi.wlast.eq(beat.payload.left == 0),
                    left.eq(beat.payload.left),
                    more.eq(beat.payload.left != 0),
                    final.eq(beat.payload.left == 1),
                ]
        m.d.comb += self.quiet.eq(~Cat(*under_way).any() & ~answered & ~self.error)
        return m
