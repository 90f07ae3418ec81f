"""Reader: a client of the read master that turns requests for bytes into a stream of beats."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.shapes import ARRIVAL, BURST, BURST_BYTES, READ_REQUEST
from hw.stream.deep_queue import DeepQueue
from hw.stream.queue import Queue
from models.machine.build import BURST_BEATS, PORT_BYTES

__all__ = ["Reader"]


class Reader(wiring.Component):
    """Read ranges of memory, several requests ahead, and give their beats in the order of the requests.

    i: address (low four bits ignored) and bytes, rounded up to beats; 0 bytes give none. `requests` of
    them wait in a queue. o: beats, from a FIFO of `depth` beats. A burst is sent once the FIFO has room for
    16 beats more than those under way; it ends with its request or its 256-byte block, so it never
    crosses 4 KiB. Four cycles from a request to its first burst, then a burst every other cycle.

    blocks_apart: of the 256-byte blocks of a request only every so many-th is read, from its address on; `bytes`
    counts those (`hw.memory.wide_reader`).
    """

    def __init__(self, *, depth: int, requests: int = 4, blocks_apart: int = 1) -> None:
        if requests < 1:
            raise ValueError(f"requests must be positive, got {requests}")
        self._requests, self._blocks_apart = requests, blocks_apart
        self._depth = depth
        self._fifo = DeepQueue(DATA_BITS, depth)
        super().__init__({
            "i": In(stream.Signature(READ_REQUEST)),
            "o": Out(stream.Signature(DATA_BITS)),
            "bursts": Out(stream.Signature(BURST)),
            "beats": In(ARRIVAL),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.fifo = beats = self._fifo
        m.submodules.queue = queue = Queue(READ_REQUEST, self._requests, buffered=True)
        m.d.comb += [
            beats.i.valid.eq(self.beats.valid),
            beats.i.payload.eq(self.beats.payload),
        ]
        connect(m, beats.o, flipped(self.o))
        connect(m, flipped(self.i), queue.i)

        request = queue.o.p
        block_bits = (BURST_BYTES - 1).bit_length()
        beat_bits = (PORT_BYTES - 1).bit_length()
        address = Signal(ADDRESS_BITS - beat_bits)  # in beats
        remaining = Signal(request.bytes.shape().width - beat_bits + 1)  # in beats
        room = Signal(range(self._depth + 1), init=self._depth)

        to_boundary = Signal(range(BURST_BEATS + 1))
        count = Signal(range(BURST_BEATS + 1))  # beats of the next burst, 0 at the end, once that is known
        known, more = Signal(), Signal()
        # by the burst that was put on offer a cycle ago; by the beat that left then
        reserved, freed = Signal.like(count), Signal()
        m.d.comb += to_boundary.eq(BURST_BEATS - address[:block_bits - beat_bits])
        m.d.sync += [
            count.eq(Mux(remaining < to_boundary, remaining, to_boundary)),
            known.eq(1),
            more.eq(remaining != 0),
            reserved.eq(0),
            freed.eq(beats.taken),
            room.eq(room - reserved + freed),
        ]

        burst = self.bursts
        with m.If(burst.ready):
            m.d.sync += burst.valid.eq(0)
        with m.If(known & more & ~burst.valid & (room >= BURST_BEATS)):
            next_block = address[block_bits - beat_bits:] + self._blocks_apart
            m.d.sync += [
                burst.valid.eq(1),
                burst.payload.address.eq(Cat(Const(0, beat_bits), address)),
                burst.payload.length.eq(count - 1),
                address.eq(Cat(Const(0, block_bits - beat_bits), next_block)),
                remaining.eq(remaining - count),
                reserved.eq(count),
                known.eq(0),
            ]
        with m.Elif(known & ~more):
            m.d.comb += queue.o.ready.eq(1)
            with m.If(queue.o.valid):
                m.d.sync += [
                    known.eq(0),
                    address.eq(request.address[beat_bits:]),
                    remaining.eq((request.bytes + PORT_BYTES - 1)[beat_bits:]),
                ]
        return m
