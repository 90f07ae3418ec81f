"""Memory system: every master of the accelerator with its clients."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.boards.registry import board_of
from hw.boards.technology import PLAIN
from hw.command import COMMAND_BITS, POSITIONS, command_layout
from hw.memory.axi import DATA_BITS, Axi4, connect_master
from hw.memory.drain import DRAIN_CYCLES, Drain
from hw.memory.fault_collector import FaultCollector
from hw.memory.loader import Loader
from hw.memory.port_fifos import PortFifos
from hw.memory.port_narrower import PortNarrower
from hw.memory.read_master import ReadMaster
from hw.memory.reader import Reader
from hw.memory.row_gather import RowGather
from hw.memory.shapes import (
    BURST_BYTES,
    ID_BITS,
    LIST_PLACE,
    LISTED_ROW,
    LOAD_WORD,
    MEMORY_FAULT,
    READ_REQUEST,
    WRITE_BEAT,
)
from hw.memory.stream_fetcher import StreamFetcher
from hw.memory.stream_router import StreamRouter
from hw.memory.wide_reader import WideReader
from hw.memory.write_master import WriteMaster
from hw.stream.queue import Queue
from hw.stream.register_slice import sliced
from hw.stream.reset_tree import ResetTree
from models.machine.build import BURST_BEATS, CACHE_READER_BEATS, PORT_FIFO_BEATS, BuildParameters
from models.machine.descriptor import Opcode
from models.machine.registers import Client

__all__ = ["MemorySystem"]

LOAD_READER_BEATS = 64
DESCRIPTOR_READER_BEATS = 32  # eight descriptors
_ROWS_AHEAD = 8  # listed rows that are on their way
_READERS = (Client.STREAM, Client.CACHE, Client.LOAD, Client.PROGRAM)  # of port 0; the first two of the others
_WRITERS = (Client.VECTOR, Client.HEAD)


class MemorySystem(wiring.Component):
    """Engines FETCH and LOAD, and the clients of the attention and vector engines.

    STREAM: `beats` wide beats, a multiple of 16, from `address` on, one of 256, striped; the last `padding` of them are
    dropped. With `listed` rows of it instead (`RowGather`), whose ids come by `list_read` -> `listed`.

    All ports carry weights and the KV cache, port 0 also loads, descriptors and all writes. Every reader reserves
    room before it asks, so none holds up another; they take turns burst by burst.

    weights, head: wide beats of the streams in their order, each for its engine, without padding. head_rows: the ids of
    listed rows, ahead of their beats. cache_read and
    cache: the attention engine's requests and wide beats; descriptor_read and descriptors: the sequencer's.
    vector_write and head_write: bursts, with idle outputs that are high when all of them are answered.

    Bursts outside blocks `base` to `limit` - 1 of 256 bytes do not leave (`ReadMaster`, `WriteMaster`). faulty, fault:
    one of them, or an error response; errors: error responses of this cycle.

    quiet, a cycle late: the ports have nothing under way, and FETCH has nothing to ask for; after a reset not before
    `drain_cycles` (`hw.memory.drain`). stop: drop everything on the way in:
    the readers, FETCH and LOAD are held in reset, beats that still arrive are lost, writes are refused. Held until
    `quiet` it leaves the system as after reset. Behind a reset and a stop nothing may be asked for RESET_LATENCY cycles
    (`hw.stream.reset_tree`). port_beats, port_busy: a bit a port for a beat that came, and for reads
    under way.
    """

    def __init__(self, build: BuildParameters, *, drain_cycles: int = DRAIN_CYCLES) -> None:
        self._build, self._port_bits, self._drain_cycles = build, board_of(build).ports.bits, drain_cycles
        writes = stream.Signature(WRITE_BEAT)
        super().__init__({
            "axi": Out(Axi4(self._port_bits)).array(build.ports),
            "fetch_command": In(stream.Signature(COMMAND_BITS)),
            "fetch_retired": Out(1),
            "load_command": In(stream.Signature(COMMAND_BITS)),
            "load_retired": Out(1),
            "positions": In(POSITIONS),
            "weights": Out(stream.Signature(build.ports * DATA_BITS)),
            "head": Out(stream.Signature(build.ports * DATA_BITS)),
            "list_read": Out(stream.Signature(LIST_PLACE)),
            "listed": In(stream.Signature(ID_BITS)),
            "head_rows": Out(stream.Signature(LISTED_ROW)),
            "o_load": Out(stream.Signature(LOAD_WORD)),
            "cache_read": In(stream.Signature(READ_REQUEST)),
            "cache": Out(stream.Signature(build.ports * DATA_BITS)),
            "descriptor_read": In(stream.Signature(READ_REQUEST)),
            "descriptors": Out(stream.Signature(DATA_BITS)),
            "vector_write": In(writes),
            "vector_write_idle": Out(1),
            "head_write": In(writes),
            "head_write_idle": Out(1),
            "base": In(32),
            "limit": In(32),
            "stop": In(1),
            "quiet": Out(1),
            "errors": Out(range(build.ports + 2)),
            "faulty": Out(1),
            "fault": Out(MEMORY_FAULT),
            "port_beats": Out(build.ports),
            "port_busy": Out(build.ports),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build

        def stoppable(name: str, unit: wiring.Component) -> None:
            m.submodules[name] = ResetInserter(self.stop)(ResetTree(name)(unit))

        def cut(name: str, source: wiring.PureInterface) -> wiring.PureInterface:
            return sliced(m, platform, name, source, add=stoppable)

        fetcher = StreamFetcher(build.ports, PORT_FIFO_BEATS)
        fifos = PortFifos(build.ports, PORT_FIFO_BEATS)
        router = StreamRouter(build.ports * DATA_BITS)
        gather = RowGather(build)
        rows = Queue(LISTED_ROW, _ROWS_AHEAD, buffered=True)
        loader = Loader()
        cache = WideReader(build.ports, depth=CACHE_READER_BEATS, requests=8)
        readers = {
            "load": Reader(depth=LOAD_READER_BEATS, requests=1),
            "descriptor": Reader(depth=DESCRIPTOR_READER_BEATS, requests=1),
        }
        stoppable("fetcher", fetcher)
        stoppable("fifos", fifos)
        stoppable("router", router)
        stoppable("gather", gather)
        stoppable("rows", rows)
        stoppable("loader", loader)
        stoppable("cache_reader", cache)
        for name, reader in readers.items():
            stoppable(f"{name}_reader", reader)

        masters = [ReadMaster(2 + len(readers) if port == 0 else 2) for port in range(build.ports)]
        writer = WriteMaster(2)
        m.submodules.writer = ResetTree("writer")(writer)
        ports = self._ports(m, len(readers))
        for port, master in enumerate(masters):
            m.submodules[f"master_{port}"] = ResetTree(f"master_{port}")(master)
            m.d.comb += master.stop.eq(self.stop)
            connect(m, fetcher.bursts[port], master.bursts[0])
            connect(m, master.beats[0], fifos.i[port])
            connect(m, cache.bursts[port], master.bursts[1])
            connect(m, master.beats[1], cache.beats[port])
            connect_master(m, master.axi, ports[port])
        for client, reader in enumerate(readers.values(), start=2):
            connect(m, reader.bursts, masters[0].bursts[client])
            connect(m, masters[0].beats[client], reader.beats)
        connect_master(m, writer.axi, ports[0])

        connect(m, fifos.o, router.i)
        connect(m, router.o_weights, flipped(self.weights))
        connect(m, cut("head_slice", router.o_head), flipped(self.head))
        connect(m, flipped(self.load_command), loader.command)
        connect(m, loader.read, readers["load"].i)
        connect(m, readers["load"].o, loader.beats)
        connect(m, loader.o_load, flipped(self.o_load))
        connect(m, flipped(self.cache_read), cache.i)
        connect(m, cache.o, flipped(self.cache))
        connect(m, flipped(self.descriptor_read), readers["descriptor"].i)
        connect(m, readers["descriptor"].o, flipped(self.descriptors))
        for client, (writes, idle) in enumerate(((self.vector_write, self.vector_write_idle),
                                                 (self.head_write, self.head_write_idle))):
            source = flipped(writes)
            given = cut(f"write_slice_{client}", source)
            connect(m, given, writer.i[client])
            m.d.comb += idle.eq(writer.idle[client] & (given is source or ~given.valid))

        self._connect_streams(m, fetcher, router, gather)
        connect(m, gather.read, flipped(self.list_read))
        connect(m, flipped(self.listed), gather.ids)
        connect(m, gather.o_rows, rows.i)
        connect(m, rows.o, flipped(self.head_rows))
        m.d.comb += [
            self.load_retired.eq(loader.retired),
            loader.positions.eq(self.positions),
            writer.stop.eq(self.stop),
        ]
        counted = m.d.sync if (platform or PLAIN).slow_wires else m.d.comb
        counted += fetcher.taken.eq(fifos.taken)  # room may be known late
        m.submodules.drain = drain = Drain(self._drain_cycles)
        m.submodules.faults = faults = FaultCollector([
            *((port, False, _READERS if port == 0 else _READERS[:2]) for port in range(build.ports)),
            (0, True, _WRITERS)])
        still = writer.quiet & fetcher.idle & gather.command.ready
        for port, master in enumerate(masters):
            still = still & master.quiet
            m.d.comb += [self.port_beats[port].eq(master.beat), self.port_busy[port].eq(master.busy)]
        for master, fault in zip((*masters, writer), faults.masters, strict=True):
            m.d.comb += [master.base.eq(self.base), master.limit.eq(self.limit), fault.faulty.eq(master.faulty),
                         fault.fault.eq(master.fault)]
        m.d.comb += [drain.still.eq(still), self.quiet.eq(drain.quiet), self.faulty.eq(faults.faulty),
                     self.fault.eq(faults.fault)]
        m.d.sync += self.errors.eq(sum((master.error for master in masters), writer.error))
        return m

    def _ports(self, m: Module, readers: int) -> list:
        """Where the masters' channels go: the ports, or narrowers in front of them."""
        if self._port_bits == DATA_BITS:
            return list(self.axi)
        narrowers = [PortNarrower(2 + readers if port == 0 else 2) for port in range(self._build.ports)]
        for port, narrower in enumerate(narrowers):
            m.submodules[f"narrower_{port}"] = narrower
            connect_master(m, narrower.o, self.axi[port])
        return [narrower.i for narrower in narrowers]

    def _connect_streams(self, m: Module, fetcher: StreamFetcher, router: StreamRouter, gather: RowGather) -> None:
        """A STREAM goes to the fetcher and, for when its beats come, to the router: whole, or what the gather takes."""
        command = data.View(command_layout(Opcode.STREAM), self.fetch_command.payload)
        whole, gathering = Signal(), Signal()
        m.d.comb += [
            gathering.eq(~gather.command.ready),
            whole.eq(self.fetch_command.valid & (command.listed == 0)),
            gather.command.payload.eq(self.fetch_command.payload),
            # while the fetcher is at a whole stream, `begun` is that one's
            gather.command.valid.eq(self.fetch_command.valid & (command.listed != 0) & fetcher.i.ready),
            self.fetch_command.ready.eq(fetcher.i.ready & ~gathering & ((command.listed != 0) | router.tags.ready)),
            gather.o.ready.eq(fetcher.i.ready), gather.tags.ready.eq(router.tags.ready),
            gather.begun.eq(fetcher.begun),
            self.fetch_retired.eq(Mux(gathering, gather.retired, fetcher.begun)),
        ]
        piece, tag = fetcher.i.p, router.tags.p
        with m.If(gathering):
            m.d.comb += [piece.eq(gather.o.payload), fetcher.i.valid.eq(gather.o.valid),
                         tag.eq(gather.tags.payload), router.tags.valid.eq(gather.tags.valid)]
        with m.Else():
            m.d.comb += [
                piece.first.eq(command.address[exact_log2(BURST_BYTES):]),
                Cat(piece.rest, piece.groups).eq(command.beats[exact_log2(BURST_BEATS):]), piece.spread.eq(piece.rest),
                fetcher.i.valid.eq(whole & router.tags.ready),
                tag.used.eq(command.beats - command.padding), tag.padding.eq(command.padding),
                tag.head.eq(command.head),
                router.tags.valid.eq(whole & fetcher.i.ready & (command.beats != 0)),
            ]
