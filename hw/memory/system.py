"""Memory system: every master of the accelerator with its clients."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS
from hw.memory.axi import DATA_BITS, Axi4, connect_master
from hw.memory.loader import Loader
from hw.memory.read_master import ReadMaster
from hw.memory.reader import Reader
from hw.memory.shapes import LOAD_ELEMENT, READ_REQUEST, WRITE_BEAT
from hw.memory.stream_fetcher import StreamFetcher
from hw.memory.weight_buffer import WeightBuffer
from hw.memory.wide_reader import WideReader
from hw.memory.write_master import WriteMaster
from models.machine.build import BuildParameters

__all__ = ["MemorySystem"]

CACHE_READER_BEATS = 256  # of each port, covers 16 bursts under way
LOAD_READER_BEATS = 64
DESCRIPTOR_READER_BEATS = 32  # eight descriptors


class MemorySystem(wiring.Component):
    """Engines FETCH and LOAD, the weight buffer, and the clients of the attention and vector engines.

    All ports carry weights and the KV cache, port 0 loads, descriptors and all writes too. Every reader reserves room before it asks, so none holds up another; they take turns
    burst by burst.

    weights: wide beats in stream order, for whichever engine is at work on them. cache_read and cache: the
    attention engine's requests and wide beats; descriptor_read and descriptors: the sequencer's. vector_write and
    head_write: single beats, with idle outputs that are high when all of them are answered.

    stop: drop everything on the way in: the readers, FETCH and LOAD are held in reset, beats that still
    arrive are lost, writes are refused. Held until `quiet`, when the ports have nothing under way, it leaves
    the system as after reset. errors: error responses of this cycle.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        writes = stream.Signature(WRITE_BEAT)
        super().__init__({
            "axi": Out(Axi4()).array(build.ports),
            "fetch_command": In(stream.Signature(COMMAND_BITS)),
            "fetch_retired": Out(1),
            "load_command": In(stream.Signature(COMMAND_BITS)),
            "load_retired": Out(1),
            "position": In(16),
            "weights": Out(stream.Signature(build.ports * DATA_BITS)),
            "o_load": Out(stream.Signature(LOAD_ELEMENT)),
            "cache_read": In(stream.Signature(READ_REQUEST)),
            "cache": Out(stream.Signature(build.ports * DATA_BITS)),
            "descriptor_read": In(stream.Signature(READ_REQUEST)),
            "descriptors": Out(stream.Signature(DATA_BITS)),
            "vector_write": In(writes),
            "vector_write_idle": Out(1),
            "head_write": In(writes),
            "head_write_idle": Out(1),
            "stop": In(1),
            "quiet": Out(1),
            "errors": Out(range(build.ports + 2)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        stoppable = ResetInserter(self.stop)

        fetcher = StreamFetcher(build.ports, build.weight_buffer_beats)
        buffer = WeightBuffer(build.ports, build.weight_buffer_beats)
        loader = Loader()
        cache = WideReader(build.ports, depth=CACHE_READER_BEATS, requests=8)
        readers = {
            "load": Reader(depth=LOAD_READER_BEATS, requests=1),
            "descriptor": Reader(depth=DESCRIPTOR_READER_BEATS, requests=1),
        }
        m.submodules.fetcher = stoppable(fetcher)
        m.submodules.buffer = stoppable(buffer)
        m.submodules.loader = stoppable(loader)
        m.submodules.cache_reader = stoppable(cache)
        for name, reader in readers.items():
            m.submodules[f"{name}_reader"] = stoppable(reader)

        masters = [ReadMaster(2 + len(readers) if port == 0 else 2) for port in range(build.ports)]
        m.submodules.writer = writer = WriteMaster(2)
        for port, master in enumerate(masters):
            m.submodules[f"master_{port}"] = master
            m.d.comb += master.stop.eq(self.stop)
            wiring.connect(m, fetcher.bursts[port], master.bursts[0])
            wiring.connect(m, master.beats[0], buffer.i[port])
            wiring.connect(m, cache.bursts[port], master.bursts[1])
            wiring.connect(m, master.beats[1], cache.beats[port])
            connect_master(m, master.axi, self.axi[port])
        for client, reader in enumerate(readers.values(), start=2):
            wiring.connect(m, reader.bursts, masters[0].bursts[client])
            wiring.connect(m, masters[0].beats[client], reader.beats)
        connect_master(m, writer.axi, self.axi[0])

        wiring.connect(m, wiring.flipped(self.fetch_command), fetcher.command)
        wiring.connect(m, buffer.o, wiring.flipped(self.weights))
        wiring.connect(m, wiring.flipped(self.load_command), loader.command)
        wiring.connect(m, loader.read, readers["load"].i)
        wiring.connect(m, readers["load"].o, loader.beats)
        wiring.connect(m, loader.o_load, wiring.flipped(self.o_load))
        wiring.connect(m, wiring.flipped(self.cache_read), cache.i)
        wiring.connect(m, cache.o, wiring.flipped(self.cache))
        wiring.connect(m, wiring.flipped(self.descriptor_read), readers["descriptor"].i)
        wiring.connect(m, readers["descriptor"].o, wiring.flipped(self.descriptors))
        wiring.connect(m, wiring.flipped(self.vector_write), writer.i[0])
        wiring.connect(m, wiring.flipped(self.head_write), writer.i[1])

        m.d.comb += [
            fetcher.taken.eq(buffer.taken),
            self.fetch_retired.eq(fetcher.retired),
            self.load_retired.eq(loader.retired),
            loader.position.eq(self.position),
            self.vector_write_idle.eq(writer.idle[0]),
            self.head_write_idle.eq(writer.idle[1]),
            writer.stop.eq(self.stop),
        ]
        quiet = writer.quiet
        for master in masters:
            quiet = quiet & master.quiet
        m.d.comb += self.quiet.eq(quiet)
        m.d.sync += self.errors.eq(sum((master.error for master in masters), writer.error))
        return m
