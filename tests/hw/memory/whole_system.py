"""The whole memory system in front of one AXI memory a port, and traffic of all its clients."""

from __future__ import annotations

import numpy as np
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import LIST_PLACE, LISTED_ROW, LOAD_WORD, READ_REQUEST, WRITE_BEAT
from hw.stream.reset_tree import RESET_LATENCY
from models.machine.build import BURST_BEATS, PORT_BYTES, BuildParameters
from models.machine.cache import physical
from models.machine.descriptor import LoadTarget, Opcode, pack
from models.machine.layout import head_beats, unstripe
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents
from tests.hw.memory.loads import WORD_BYTES, load_words

__all__ = ["ANYWHERE", "OUTPUTS", "Bench", "begin", "run_everything"]

OUTPUTS = {"weights": None, "head": None, "o_load": LOAD_WORD, "cache": None, "descriptors": None,
           "list_read": LIST_PLACE, "head_rows": LISTED_ROW}
ANYWHERE = (1 << 32) - 1  # of the limit: all blocks but the last
INPUTS = {"fetch_command": None, "listed": None, "load_command": None, "cache_read": READ_REQUEST,
          "descriptor_read": READ_REQUEST, "vector_write": WRITE_BEAT, "head_write": WRITE_BEAT}


async def begin(dut) -> None:
    """Start the clock, and wait until the reset has been through its trees."""
    await start(dut)
    await ClockCycles(dut.clk, RESET_LATENCY)


class Bench:
    """The system with its memories. Sources and sinks are made on demand, so that a test may do without."""

    def __init__(self, dut, *, stall: float, latency: tuple[int, int]) -> None:
        self.dut, self.stall = dut, stall
        self.build = BuildParameters(**parameters()["build"])
        self.contents = Contents()
        self.random = generator("bench")
        self.memories = [AxiMemory(dut, f"axi__{p}", self.contents, stall=stall, latency=latency)
                         for p in range(self.build.ports)]
        dut.stop.value = 0
        dut.base.value, dut.limit.value = 0, ANYWHERE
        dut.positions.value = 0
        for name in INPUTS:
            getattr(dut, f"{name}__valid").value = 0
        for name in OUTPUTS:
            getattr(dut, f"{name}__ready").value = 0
        self.errors = 0
        start_soon(self._count_errors())

    async def _count_errors(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if not self.dut.rst.value:
                self.errors += int(self.dut.errors.value)

    def source(self, name: str) -> StreamSource:
        return StreamSource(self.dut, name, INPUTS[name], stall=self.stall)

    def sink(self, name: str, stall: float | None = None) -> StreamSink:
        return StreamSink(self.dut, name, OUTPUTS[name], stall=self.stall if stall is None else stall)

    def stream(self, address: int, beats: int, *, padding: int = 0, head: int = 0) -> tuple[int, list[int]]:
        """A STREAM command and the wide beats it brings."""
        command = int.from_bytes(
            pack(Opcode.STREAM, address=address, beats=beats, padding=padding, head=head, listed=0, row=0,
                 row_beats=0), "little")
        return command, self.wide(address, beats)[:beats - padding]

    def wide(self, address: int, beats: int) -> list[int]:
        """The wide beats of a striped stream."""
        memory = np.frombuffer(self.contents.read(address, beats * self.build.beat_bytes), np.uint8)
        stripes = unstripe(memory, self.build).reshape(-1, self.build.beat_bytes)
        return [int.from_bytes(beat.tobytes(), "little") for beat in stripes]

    def listed(self, address: int, row: int, vocab: int, row_beats: int, ids: list[int]) -> tuple[int, list[int]]:
        """A STREAM of listed rows and the wide beats it brings: for each the scales of its block, and its own."""
        build, block_rows = self.build, self.build.beat_bytes // 4
        beats = head_beats(vocab, row_beats * build.beat_bytes, build)
        stream, found = self.wide(address, beats), []
        for id in ids:
            block = id // block_rows * (1 + block_rows * row_beats)
            first = block + 1 + id % block_rows * row_beats
            found += [stream[block], *stream[first:first + row_beats]]
        command = pack(Opcode.STREAM, address=address, beats=beats, padding=0, head=1, listed=len(ids), row=row,
                       row_beats=row_beats)
        return int.from_bytes(command, "little"), found

    async def answer_places(self, lists: dict[int, list[int]]) -> None:
        """The ids of the lists, by row, to whoever asks."""
        places, ids = self.sink("list_read"), self.source("listed")
        for _ in range(sum(map(len, lists.values()))):
            place = await places.receive()
            ids.send_nowait(lists[place["row"]][place["index"]])

    def load(self, address: int, position: int) -> tuple[int, list[dict[str, int]]]:
        """A random LOAD command and the words it sends."""
        target = self.random.choice(list(LoadTarget))
        width = WORD_BYTES[target]
        count, offset = self.random.randrange(0, 40), self.random.randrange(0, 1000)
        stride = self.random.randrange(0, 64) * PORT_BYTES
        row = self.random.randrange(256)
        fields = dict(address=address, target=target, address_stride=stride, bytes=count * width, offset=offset,
                      row=row)
        data = self.contents.read(address + position * stride, count * width)
        return int.from_bytes(pack(Opcode.LOAD, sequence=0, **fields), "little"), load_words(target, offset, data, row)

    def read(self, address: int, size: int) -> tuple[dict[str, int], list[int]]:
        """A read request and its beats."""
        beats = range(address, address + size, PORT_BYTES)
        return {"address": address, "bytes": size}, [self.contents.beat(a) for a in beats]

    def wide_read(self, address: int, beats: int) -> tuple[dict[str, int], list[int]]:
        """A read of the cache and its wide beats."""
        groups = -(-beats // BURST_BEATS)
        memory = np.frombuffer(self.contents.read(address, groups * self.build.stream_align), np.uint8)
        wide = memory[physical(np.arange(memory.size), self.build)].reshape(-1, self.build.beat_bytes)
        return ({"address": address, "bytes": beats * self.build.beat_bytes},
                [int.from_bytes(beat.tobytes(), "little") for beat in wide[:beats]])

    def address(self, alignment: int) -> int:
        """A random address; the highest one ends the 40 bits."""
        return self.random.randrange(0, (1 << 39) // alignment) * 2 * alignment


async def pulses(dut, signal, count: int) -> None:
    """Return once `signal` was high for `count` cycles."""
    while count:
        await RisingEdge(dut.clk)
        count -= int(signal.value)


async def run_everything(bench: Bench, jobs: int) -> None:
    """All clients at once; every beat right and in order, every command retired, every write in memory."""
    dut, random = bench.dut, bench.random
    position = random.randrange(1 << 16)
    dut.positions.value = position
    kinds = [n % 3 == 2 for n in range(jobs)]
    streams, lists, block_rows = [], {}, bench.build.beat_bytes // 4
    for n, head in enumerate(kinds):
        if n % 6 == 5:
            widest = bench.build.hidden_max // bench.build.beat_bytes
            row_beats = random.choice([1, widest - 1, widest])
            vocab = random.randrange(2, 2500 // row_beats)
            lists[n] = [vocab - 1, *(random.randrange(vocab) for _ in range(random.randrange(15)))]
            streams.append(bench.listed(bench.address(256), n, vocab, row_beats, lists[n]))
            continue
        beats = 16 * random.randrange(0, 5) if len(streams) else 1024 + 48
        streams.append(bench.stream(bench.address(256), beats, padding=random.choice([0, 3, 15]) if beats else 0,
                                    head=int(head)))
    loads = [bench.load(bench.address(256), position) for _ in range(jobs)]
    caches = [bench.wide_read(bench.address(bench.build.stream_align), random.randrange(60)) for _ in range(2 * jobs)]
    programs = [bench.read(bench.address(64), 64 * random.randrange(1, 20)) for _ in range(jobs)]
    writes = {client: [{"address": base + 16 * i, "data": random.getrandbits(128), "strobe": random.getrandbits(16),
                        "left": 0} for i in range(8 * jobs)]
              for client, base in (("vector_write", 0), ("head_write", 1 << 20))}
    before = {w["address"]: bench.contents.beat(w["address"]) for beats in writes.values() for w in beats}

    jobs_by_port = (("fetch_command", "weights", streams), ("load_command", "o_load", loads),
                    ("cache_read", "cache", caches), ("descriptor_read", "descriptors", programs))
    retired = [start_soon(pulses(dut, signal, jobs)) for signal in (dut.fetch_retired, dut.load_retired)]
    expected = {"head": [beat for head, (_, beats) in zip(kinds, streams, strict=True) if head for beat in beats]}
    for source, sink, work in jobs_by_port:
        bench.source(source).send_nowait(*(request for request, _ in work))
        expected[sink] = [beat for _, beats in work for beat in beats]
    start_soon(bench.answer_places(lists))
    expected["head_rows"] = [{"id": id, "place": id % block_rows} for ids in lists.values() for id in ids]
    expected["weights"] = [beat for head, (_, beats) in zip(kinds, streams, strict=True) if not head for beat in beats]
    sources = {client: bench.source(client) for client in writes}
    for client, beats in writes.items():
        sources[client].send_nowait(*beats)
    sinks = {name: bench.sink(name) for name in expected}
    for name, beats in expected.items():
        assert await sinks[name].receive(len(beats)) == beats, name
    for task in retired:
        await task
    for client, beats in writes.items():
        await sources[client].drain()
        idle = getattr(dut, f"{client}_idle")
        await RisingEdge(dut.clk)
        while not idle.value:
            await RisingEdge(dut.clk)
        for w in beats:
            mask = sum(255 << 8 * i for i in range(16) if w["strobe"] >> i & 1)
            assert bench.contents.beat(w["address"]) == before[w["address"]] & ~mask | w["data"] & mask
    await ClockCycles(dut.clk, 50 + parameters()["drain"])
    assert not any(sink.receive_nowait() for sink in sinks.values())
    assert dut.quiet.value
    assert bench.errors == 0
