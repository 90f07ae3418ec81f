"""Wide reader: reads striped ranges of memory over all ports at once."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.memory.axi import DATA_BITS
from hw.memory.reader import Reader
from hw.memory.shapes import ARRIVAL, BURST, BURST_BYTES, READ_REQUEST

__all__ = ["WideReader"]


class WideReader(wiring.Component):
    """Ranges of the key-value cache as wide beats: port p's parts are every `ports`-th 256-byte block
    (`models.machine.cache.physical`).

    i: address, a multiple of 256 * ports, and bytes, of 16 * ports. o: wide beats, port 0's part lowest, in the order
    of the requests. Each port has a `Reader` of its own, with `depth` beats of room and `requests` waiting, and runs
    as far ahead of the others as these let it; the beats leave in step.
    """

    def __init__(self, ports: int, *, depth: int, requests: int) -> None:
        if ports < 1 or ports & (ports - 1):
            raise ValueError(f"ports must be a power of two, got {ports}")
        self._ports = ports
        self._readers = [Reader(depth=depth, requests=requests, blocks_apart=ports) for _ in range(ports)]
        super().__init__({
            "i": In(stream.Signature(READ_REQUEST)),
            "o": Out(stream.Signature(ports * DATA_BITS)),
            "bursts": Out(stream.Signature(BURST)).array(ports),
            "beats": In(ARRIVAL).array(ports),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        for port, reader in enumerate(self._readers):
            m.submodules[f"reader_{port}"] = reader
            connect(m, reader.bursts, flipped(self.bursts[port]))
            connect(m, flipped(self.beats[port]), reader.beats)
            m.d.comb += [
                reader.i.valid.eq(self.i.valid & self.i.ready),
                reader.i.p.address.eq(self.i.p.address + BURST_BYTES * port),
                reader.i.p.bytes.eq(self.i.p.bytes // self._ports),
                reader.o.ready.eq(self.o.valid & self.o.ready),
            ]
        m.d.comb += [
            self.i.ready.eq(Cat(reader.i.ready for reader in self._readers).all()),
            self.o.valid.eq(Cat(reader.o.valid for reader in self._readers).all()),
            self.o.payload.eq(Cat(reader.o.payload for reader in self._readers)),
        ]
        return m
