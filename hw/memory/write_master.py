"""Write master: the write channels of one AXI4 port, bursts of several clients."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS, ID_BITS, INCREMENT, SIZE_16_BYTES, Axi4Write
from hw.memory.limit_check import is_inside
from hw.memory.shapes import MASTER_FAULT, WRITE_BEAT
from hw.stream.round_robin import RoundRobin

__all__ = ["WriteMaster"]


class WriteMaster(wiring.Component):
    """Write the bursts of `clients` in turn; the client's number is the ID.

    `idle` bit c is high when every burst that client c handed over is answered, hence visible to all
    readers; it falls the cycle after a transfer. At most `outstanding` bursts of a client are under way; a
    burst in four cycles, its beats one a cycle. `stop` refuses new beats: a burst that has begun ends with beats that
    write nothing. `quiet` is high once everything is answered. Answers that nobody waits for, of before a reset, are
    dropped.

    A burst has the length that its first beat's `left` says, whatever the others say. Each one is compared with blocks
    `base` to `limit` - 1 (`hw.memory.limit_check`) before it is sent. One that is outside never is, nor any behind it
    until `stop`: `faulty` is high for as long, with response OKAY and the burst's address in `fault`. `error`, and
    `faulty` with it, pulses for each error response.
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
            "base": In(32),
            "limit": In(32),
            "stop": In(1),
            "quiet": Out(1),
            "error": Out(1),
            "faulty": Out(1),
            "fault": Out(MASTER_FAULT),
            "axi": Out(Axi4Write()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._clients)

        axi = self.axi
        free, left, owner = Signal(), Signal(WRITE_BEAT["left"].width), Signal(self._clients)
        more, final = Signal(), Signal()  # beats are left, one is
        goes_on = Signal()  # a burst, by a beat
        open_ = ~axi.wvalid | axi.wready  # a beat may be shown
        amid = more & open_  # of a burst, and its next beat may go
        # whose burst is next; its address is held a cycle later, compared in the one behind, and then it may begin
        chosen, held, checked, begun = Signal(self._clients), Signal(), Signal(), Signal()
        address, length = Signal(ADDRESS_BITS, reset_less=True), Signal.like(left, reset_less=True)
        inside = Signal()
        choosing = (chosen == 0) & ~more
        m.d.comb += [
            free.eq(checked & inside & ~axi.awvalid & ~axi.wvalid & ~self.stop),
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
            m.d.comb += goes_on.eq(1)
        with m.If(begun):
            m.d.sync += [axi.wvalid.eq(1), axi.wlast.eq(length == 0), left.eq(length), more.eq(length != 0),
                         final.eq(length == 1)]
        with m.Elif(goes_on):
            m.d.sync += [axi.wvalid.eq(1), axi.wlast.eq(final), left.eq(left - 1), more.eq(~final),
                         final.eq(left == 2)]

        with m.If(self.stop | begun):
            m.d.sync += chosen.eq(0)
        with m.Elif(choosing):
            m.d.sync += chosen.eq(arbiter.grant)

        refused = Signal(ID_BITS)
        for number, beat in enumerate(self.i):
            with m.If(chosen[number]):
                m.d.comb += refused.eq(number)
                with m.If(~held):
                    m.d.sync += [address.eq(beat.payload.address), length.eq(beat.payload.left)]
        m.d.sync += [
            held.eq((chosen != 0) & ~begun & ~self.stop),
            checked.eq(held & ~begun & ~self.stop),
            inside.eq(is_inside(address, length, self.base, self.limit)),
        ]

        answered, identity, response = Signal(), Signal(ID_BITS, reset_less=True), Signal(2, reset_less=True)
        m.d.sync += [answered.eq(axi.bvalid), identity.eq(axi.bid), response.eq(axi.bresp)]

        under_way = [Signal(range(self._outstanding + 1), name=f"under_way_{client}")
                     for client in range(self._clients)]
        data, strobe = Const(0, DATA_BITS), Const(0, DATA_BITS // 8)
        for client, beat in enumerate(self.i):
            count, begin, going, finish = under_way[client], Signal(), Signal(), Signal()
            m.d.comb += [
                arbiter.requests[client].eq(beat.valid & (count != self._outstanding)),
                begin.eq(free & chosen[client]),
                going.eq(amid & owner[client] & ~self.stop),
                finish.eq(answered & (identity == client) & (count != 0)),
                beat.ready.eq(begin | going),
                self.idle[client].eq(count == 0),
            ]
            m.d.sync += count.eq(count + begin - finish)
            with m.If(begin):
                m.d.sync += [
                    axi.awvalid.eq(1),
                    axi.awid.eq(client),
                    axi.awaddr.eq(address),
                    axi.awlen.eq(length),
                    owner.eq(1 << client),
                ]
            with m.If(begin | (going & beat.valid)):
                m.d.comb += goes_on.eq(1)
            whose = Mux(more, owner[client], chosen[client])
            data, strobe = data | Mux(whose, beat.payload.data, 0), strobe | Mux(whose, beat.payload.strobe, 0)
            with m.If(finish):
                m.d.comb += self.error.eq(response[1])
        with m.If(open_):  # whether or not there is one: what a beat needs to be shown comes late in a cycle
            m.d.sync += [axi.wdata.eq(data), axi.wstrb.eq(Mux(self.stop, 0, strobe))]
        m.d.comb += [
            self.faulty.eq(self.error | (checked & ~inside)),
            self.fault.response.eq(Mux(self.error, response, 0)),
            self.fault.client.eq(Mux(self.error, identity, refused)),
            self.fault.address.eq(address),
            self.quiet.eq(~Cat(*under_way).any() & ~answered),
        ]
        return m
