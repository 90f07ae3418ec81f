"""The whole memory system in front of one AXI memory a port: every client at once, blocked clients, rate, stops,
resets, limits, errors and ports that do not answer."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import LIST_PLACE, LISTED_ROW, LOAD_WORD, MEMORY_FAULT, READ_REQUEST, WRITE_BEAT
from hw.stream.reset_tree import RESET_LATENCY
from models.machine.build import BURST_BEATS, PORT_BYTES, BuildParameters
from models.machine.cache import physical
from models.machine.descriptor import LoadTarget, Opcode, pack
from models.machine.layout import head_beats, unstripe
from models.machine.registers import Client
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents
from tests.hw.memory.loads import WORD_BYTES, load_words

OUTPUTS = {"weights": None, "head": None, "o_load": LOAD_WORD, "cache": None, "descriptors": None,
           "list_read": LIST_PLACE, "head_rows": LISTED_ROW}
ANYWHERE = (1 << 32) - 1  # of the limit: all blocks but the last
FAULT = Packing.of(MEMORY_FAULT)
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


@cocotb.test()
async def everything_at_once(dut):
    bench = Bench(dut, stall=0.0, latency=(1, 20))
    await begin(dut)
    await run_everything(bench, 12)


@cocotb.test()
async def everything_at_once_with_stalls(dut):
    bench = Bench(dut, stall=0.35, latency=(1, 60))
    await begin(dut)
    await run_everything(bench, 12)


@cocotb.test()
@cocotb.parametrize(wanted=["weights", "cache", "descriptors"])
async def blocked_clients_hold_up_nobody(dut, wanted):
    """A client reads on while none of the others takes its data."""
    bench = Bench(dut, stall=0.0, latency=(10, 30))
    await begin(dut)
    requests = {"weights": ("fetch_command", bench.stream(0, 2048)[0]),
                "cache": ("cache_read", {"address": 0, "bytes": 1 << 20}),
                "descriptors": ("descriptor_read", {"address": 64, "bytes": 1 << 20}),
                "o_load": ("load_command", bench.load(256, 0)[0])}
    source, _ = requests.pop(wanted)
    for other, request in requests.values():
        bench.source(other).send_nowait(request)
    await ClockCycles(dut.clk, 2000)
    read = {"weights": lambda: bench.stream(1 << 24, 512), "cache": lambda: bench.wide_read(1 << 24, 700),
            "descriptors": lambda: bench.read(1 << 24, 16384)}[wanted]
    request, beats = read()
    bench.source(source).send_nowait(request)
    assert await bench.sink(wanted).receive(len(beats)) == beats
    await ClockCycles(dut.clk, 100)
    assert dut.quiet.value == (wanted == "weights")  # else a stream waits for room


@cocotb.test()
async def streams_keep_the_ports_busy(dut):
    """Back-to-back streams at a latency of 100 cycles: a cycle for each at most once beats arrive."""
    bench = Bench(dut, stall=0.0, latency=(100, 100))
    await begin(dut)
    work = [bench.stream(bench.address(256), beats) for beats in (64, 16, 16, 16, 128, 16, 256)]
    bench.source("fetch_command").send_nowait(*(command for command, _ in work))
    expected = [beat for _, beats in work for beat in beats]
    sink = bench.sink("weights")
    assert await sink.receive(len(expected)) == expected
    assert sink.cycles[-1] - sink.cycles[0] < len(expected) + len(work)
    assert sink.cycles[0] < 120
    assert all(memory.read_most <= 16 for memory in bench.memories)


@cocotb.test()
async def listed_rows_at_their_pace(dut):
    """A row takes the beats of its bursts and of those of its scales, and little more; the streams around it too."""
    bench = Bench(dut, stall=0.0, latency=(60, 60))
    await begin(dut)
    row_beats = bench.build.hidden_max // bench.build.beat_bytes
    ids = [bench.random.randrange(400) for _ in range(40)]
    start_soon(bench.answer_places({7: ids}))
    rows, head, weights = bench.sink("head_rows"), bench.sink("head"), bench.sink("weights")
    command, expected = bench.listed(1 << 20, 7, 400, row_beats, ids)
    whole, beats = bench.stream(1 << 30, 64)
    bench.source("fetch_command").send_nowait(whole, command, whole)
    assert await weights.receive(128) == 2 * beats
    assert await head.receive(len(expected)) == expected
    assert [row["id"] for row in await rows.receive(len(ids))] == ids
    took = head.cycles[-1] - head.cycles[0]
    dut._log.info("%d cycles a row of %d beats", took / len(ids), row_beats)
    block_rows = bench.build.beat_bytes // 4
    places = [divmod(number, block_rows) for number in ids]
    firsts = [block * (1 + block_rows * row_beats) + 1 + row * row_beats for block, row in places]
    bursts = sum(1 + -(-(first % 16 + row_beats) // 16) for first in firsts)  # of scales and of whole rows
    assert took < 16 * bursts + 4 * len(ids)


@cocotb.test()
async def error_responses_are_counted(dut):
    bench = Bench(dut, stall=0.2, latency=(2, 9))
    await begin(dut)
    bench.contents.refused |= {0x1000, 0x1010, 0x10000, 0x2000}
    bench.source("fetch_command").send_nowait(bench.stream(0x1000, 16)[0])  # two refused beats on port 0
    bench.source("cache_read").send_nowait({"address": 0x10000, "bytes": bench.build.beat_bytes})
    bench.source("vector_write").send_nowait({"address": 0x2000, "data": 1, "strobe": 0xFFFF, "left": 0})
    await bench.sink("weights").receive(16)
    await bench.sink("cache").receive(1)
    while not dut.quiet.value or bench.errors < 4:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 20)
    assert bench.errors == 4


@cocotb.test()
async def stop_and_go_on(dut):
    """A stop amid traffic ends quiet; afterwards everything works as after reset."""
    bench = Bench(dut, stall=0.3, latency=(20, 60))
    await begin(dut)
    for cycles in (40, 55, 83, 170, 300):
        signals = {"fetch_command": bench.stream(0, 1024)[0], "load_command": bench.load(4096, 0)[0],
                   "cache_read": 65536 << 40 | 16, "descriptor_read": 4096 << 40}
        for name, value in signals.items():
            getattr(dut, f"{name}__payload").value = value
            getattr(dut, f"{name}__valid").value = 1
        writes = {"vector_write": 0xFFFF << 168 | 1 << 16, "head_write": 0xFFFF << 168 | 1 << 17}
        for name, value in writes.items():
            getattr(dut, f"{name}__payload").value = value
            getattr(dut, f"{name}__valid").value = 1
        for name in OUTPUTS:
            getattr(dut, f"{name}__ready").value = cycles % 2
        await ClockCycles(dut.clk, cycles)
        assert not dut.quiet.value
        dut.stop.value = 1
        for name in (*signals, *writes):
            getattr(dut, f"{name}__valid").value = 0
        await ClockCycles(dut.clk, 1)
        reads = [len(memory.bursts) for memory in bench.memories]
        while not dut.quiet.value:
            await RisingEdge(dut.clk)
        dut.stop.value = 0
        # At most the address that was on offer when the stop came was still sent.
        assert all(len(memory.bursts) <= count + 1 for memory, count in zip(bench.memories, reads, strict=True))
        await ClockCycles(dut.clk, 30)
        assert dut.quiet.value
        assert not any(getattr(dut, f"{name}__valid").value for name in OUTPUTS)
    await run_everything(bench, 4)


async def stopped(dut) -> None:
    """Stop until the system is quiet, and let it go."""
    dut.stop.value = 1
    await ClockCycles(dut.clk, 3 + RESET_LATENCY)
    while not dut.quiet.value:
        await RisingEdge(dut.clk)
    dut.stop.value = 0
    await ClockCycles(dut.clk, RESET_LATENCY)


@cocotb.test()
async def a_burst_outside_names_its_client(dut):
    """Of every client, at both limits: it is refused on the port where it comes first, and nothing leaves it."""
    bench = Bench(dut, stall=0.0, latency=(2, 20))
    await begin(dut)
    await stopped(dut)
    wide = bench.build.stream_align
    first, end = 0x77_0000_0000, 0x77_0000_0000 + 4 * wide
    dut.base.value, dut.limit.value = first >> 8, end >> 8
    sinks = [bench.sink(name) for name in ("weights", "o_load", "cache", "descriptors")]
    stream = dict(beats=2 * BURST_BEATS, padding=0, head=0, listed=0, row=0, row_beats=0)
    load = dict(target=LoadTarget.GAIN, address_stride=0, bytes=64, offset=0, sequence=0, row=0)
    # of each: the last place inside, the first one outside, and what asks for it
    places = (
        (Client.STREAM, "fetch_command", end - 2 * wide, end - wide,
         lambda a: int.from_bytes(pack(Opcode.STREAM, address=a, **stream), "little")),
        (Client.LOAD, "load_command", end - 64, end - 32,
         lambda a: int.from_bytes(pack(Opcode.LOAD, address=a, **load), "little")),
        (Client.CACHE, "cache_read", end - wide, end, lambda a: {"address": a, "bytes": wide}),
        (Client.PROGRAM, "descriptor_read", end - 64, end - 64 + 16, lambda a: {"address": a, "bytes": 64}),
        (Client.VECTOR, "vector_write", end - 16, end, lambda a: {"address": a, "data": 1, "strobe": 1, "left": 0}),
        (Client.HEAD, "head_write", first, first - 16, lambda a: {"address": a, "data": 1, "strobe": 1, "left": 0}))
    for client, name, inside, outside, asks in places:
        source = bench.source(name)
        source.send_nowait(asks(inside))
        await ClockCycles(dut.clk, 120)
        assert not dut.faulty.value and dut.quiet.value, client
        before = [len(memory.bursts) + len(memory.write_bursts) for memory in bench.memories]
        assert sum(before), client
        source.send_nowait(asks(outside))
        for _ in range(60):
            await RisingEdge(dut.clk)
            if dut.faulty.value:
                break
        fault = FAULT.unpack(int(dut.fault.value))
        assert fault["client"] == client and fault["write"] == (client >= Client.VECTOR) and fault["response"] == 0
        assert fault["address"] >= end or fault["address"] < first
        await ClockCycles(dut.clk, 60)
        # a write is not taken before it is sent
        assert dut.faulty.value and dut.quiet.value == (client >= Client.VECTOR)
        source.stop()
        await stopped(dut)
        assert not dut.faulty.value
        for memory in bench.memories:
            asked = [*memory.bursts, *memory.write_bursts]
            assert all(first <= address and address + 16 * beats <= end for _, address, beats in asked)
    for sink in sinks:
        sink.stop()
    dut.base.value, dut.limit.value = 0, ANYWHERE
    await run_everything(bench, 4)


@cocotb.test()
async def error_responses_name_their_port(dut):
    """Of reads on every port and of writes, SLVERR and DECERR."""
    bench = Bench(dut, stall=0.1, latency=(2, 20))
    await begin(dut)
    await stopped(dut)
    sinks = [bench.sink(name) for name in ("weights", "cache")]
    fetch, cache, write = (bench.source(name) for name in ("fetch_command", "cache_read", "head_write"))
    for port in range(bench.build.ports):
        for client, response in ((Client.STREAM, 2), (Client.CACHE, 3)):
            contents = bench.contents.refused if response == 2 else bench.contents.undecoded
            contents.add(0x40000 + 256 * port)
            if client == Client.STREAM:
                fetch.send_nowait(bench.stream(0x40000, 16)[0])
            else:
                cache.send_nowait({"address": 0x40000, "bytes": bench.build.beat_bytes})
            while not dut.faulty.value:
                await RisingEdge(dut.clk)
            assert FAULT.unpack(int(dut.fault.value)) | {"address": 0} == {
                "client": client, "port": port, "write": 0, "response": response, "address": 0}
            await ClockCycles(dut.clk, 80)
            assert dut.quiet.value
            contents.clear()
    bench.contents.undecoded.add(0x100)
    write.send_nowait({"address": 0x100, "data": 1, "strobe": 1, "left": 0})
    while not dut.faulty.value:
        await RisingEdge(dut.clk)
    assert FAULT.unpack(int(dut.fault.value)) | {"address": 0} == {
        "client": Client.HEAD, "port": 0, "write": 1, "response": 3, "address": 0}
    for end in (*sinks, fetch, cache, write):
        end.stop()


def read_everywhere(bench: Bench) -> list[StreamSource]:
    """Every client that reads, at once, for long."""
    sources = {name: bench.source(name) for name in ("fetch_command", "cache_read", "descriptor_read", "load_command")}
    sources["fetch_command"].send_nowait(bench.stream(0, 1024)[0])
    sources["cache_read"].send_nowait({"address": 1 << 20, "bytes": 1 << 14})
    sources["descriptor_read"].send_nowait({"address": 1 << 21, "bytes": 1 << 12})
    sources["load_command"].send_nowait(bench.load(1 << 22, 0)[0])
    return list(sources.values())


@cocotb.test()
async def resets_amid_bursts(dut):
    """The memories answer what a reset forgot: nothing of it comes out, and it is not quiet before."""
    bench = Bench(dut, stall=0.2, latency=(20, 60))
    await begin(dut)
    await stopped(dut)
    for cycles in (20, 33, 61, 150):
        sources = read_everywhere(bench)
        sinks = [bench.sink(name) for name in OUTPUTS]
        await ClockCycles(dut.clk, cycles)
        dut.rst.value = 1
        for end in (*sources, *sinks):
            end.stop()
        await ClockCycles(dut.clk, 2 + RESET_LATENCY)
        dut.rst.value, dut.stop.value = 0, 1
        assert all(memory.left for memory in bench.memories)
        bench.contents.refused |= set(range(0, 1 << 16, 16))
        await RisingEdge(dut.clk)
        errors, still = bench.errors, 0
        while not dut.quiet.value:
            await RisingEdge(dut.clk)
            assert not dut.faulty.value
            still = 0 if any(memory.left for memory in bench.memories) else still + 1
        assert still >= parameters()["drain"] - 60 and bench.errors == errors
        bench.contents.refused.clear()
        dut.stop.value = 0
        await ClockCycles(dut.clk, 5)
        assert dut.quiet.value
    await run_everything(bench, 4)


@cocotb.test()
async def a_port_that_does_not_answer(dut):
    """It keeps the system from being quiet, for ever where nothing helps it; then all is well."""
    bench = Bench(dut, stall=0.1, latency=(20, 60))
    await begin(dut)
    await stopped(dut)
    for memory in bench.memories:
        sources = read_everywhere(bench)
        sinks = [bench.sink(name) for name in OUTPUTS]
        await ClockCycles(dut.clk, 50)
        memory.dead = True
        await ClockCycles(dut.clk, 300)
        dut.stop.value = 1
        for end in (*sources, *sinks):
            end.stop()
        await ClockCycles(dut.clk, 1000)
        assert not dut.quiet.value
        memory.dead = False
        await stopped(dut)
        await ClockCycles(dut.clk, 5)
        assert dut.quiet.value
    await run_everything(bench, 4)
