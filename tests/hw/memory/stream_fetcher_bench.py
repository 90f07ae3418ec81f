"""Stream fetcher: each port's bursts as `stripe` lays streams out, within the buffer's room."""

from __future__ import annotations

from dataclasses import replace

import cocotb
import numpy as np
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.boards.registry import BUILDS
from hw.memory.shapes import BURST
from hw.memory.stream_fetcher import STREAM_PIECE
from models.machine.layout import stripe
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


def _piece(address: int, beats: int) -> dict[str, int]:
    """A whole stream."""
    return {"first": address >> 8, "groups": beats >> 10, "rest": beats >> 4 & 63, "spread": beats >> 4 & 63}


def _bursts(port: int, address: int, beats: int) -> list[int]:
    """Where the port's parts of every 16 beats lie, by the layout; all of them in 256 bytes."""
    build = replace(BUILDS["sim-tiny"], ports=parameters()["ports"])
    pieces = stripe(np.repeat(np.arange(beats * build.ports), 16), build)[::16]
    parts = np.argsort(pieces).reshape(-1, 16, build.ports)[:, :, port]
    assert (np.diff(parts, axis=1) == 1).all()
    return (address + 16 * parts[:, 0]).tolist()


async def _free(dut, sinks: list[StreamSink], bursts: list[list[dict]], rate: float) -> None:
    """Give back room for what was asked for, each port at its own pace; check that it was there."""
    random, depth, held = generator("free"), parameters()["depth"], [0] * len(sinks)
    while True:
        taken = 0
        for port, sink in enumerate(sinks):
            new = sink.receive_nowait()
            bursts[port] += new
            held[port] += 16 * len(new)
            assert held[port] <= depth
            if held[port] and random.random() < rate:
                held[port] -= 1
                taken |= 1 << port
        dut.taken.value = taken
        await RisingEdge(dut.clk)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], rate=[1.0, 0.6])
async def bursts_of_streams(dut, stall, rate):
    random, ports = generator("streams"), parameters()["ports"]
    source = StreamSource(dut, "i", STREAM_PIECE, stall=stall)
    sinks = [StreamSink(dut, f"bursts__{p}", BURST, stall=stall) for p in range(ports)]
    bursts: list[list[dict]] = [[] for _ in range(ports)]
    dut.taken.value = 0
    await start(dut)
    start_soon(_free(dut, sinks, bursts, rate))
    streams = [(random.randrange(1 << 31) * 256, 16 * groups) for groups in (1, 0, 3, 64, 65, 0, 1, 1, 63, 0, 128, 200)]
    source.send_nowait(*(_piece(*stream) for stream in streams))
    for _ in streams:
        while not dut.begun.value:
            await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
    while not dut.idle.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 4)
    assert dut.idle.value
    for port, sent in enumerate(bursts):
        assert [burst["address"] for burst in sent] == [at for stream in streams for at in _bursts(port, *stream)]
        assert all(burst["length"] == 15 for burst in sent)


@cocotb.test()
async def pieces_of_groups(dut):
    """Some bursts of a whole group and of the last one, as they lie in the stream."""
    random, ports = generator("pieces"), parameters()["ports"]
    source = StreamSource(dut, "i", STREAM_PIECE)
    sinks = [StreamSink(dut, f"bursts__{p}", BURST, stall=0.3) for p in range(ports)]
    bursts: list[list[dict]] = [[] for _ in range(ports)]
    dut.taken.value = 0
    await start(dut)
    start_soon(_free(dut, sinks, bursts, 1.0))
    last = 37  # bursts of a group behind two whole ones
    address, beats = random.randrange(1 << 31) * 256, 16 * (2 * 64 + last)
    expected: list[list[int]] = [[] for _ in range(ports)]
    for _ in range(60):
        group = random.randrange(3)
        first = random.randrange((64, 64, last)[group])
        count = min(random.randrange(1, 5), (64, 64, last)[group] - first)
        source.send_nowait({"first": (address >> 8) + group * 64 * ports + first, "groups": 0, "rest": count,
                            "spread": (64, 64, last)[group]})
        for port in range(ports):
            expected[port] += _bursts(port, address, beats)[group * 64 + first:][:count]
    while any(len(sent) < len(wanted) for sent, wanted in zip(bursts, expected, strict=True)):
        await RisingEdge(dut.clk)
    assert [[burst["address"] for burst in sent] for sent in bursts] == expected


@cocotb.test()
async def ports_run_ahead_alone(dut):
    """A port that is held up does not hold up the others, until they are a stream ahead of it."""
    ports = parameters()["ports"]
    source = StreamSource(dut, "i", STREAM_PIECE)
    sinks = [StreamSink(dut, f"bursts__{p}", BURST, stall=1.0 if p == 0 else 0.0) for p in range(ports)]
    dut.taken.value = 0
    await start(dut)
    source.send_nowait(_piece(0, 32), _piece(8192, 16), _piece(4096, 16))
    begun = 0
    for _ in range(40):
        await RisingEdge(dut.clk)
        begun += int(dut.begun.value)
    assert [len(sink.receive_nowait()) for sink in sinks] == [0] + [3] * (ports - 1)
    assert begun == 1 and not dut.i__ready.value and not dut.idle.value
    sinks[0].stall = 0.0
    while not dut.begun.value:
        await RisingEdge(dut.clk)
    assert [burst["address"] for burst in sinks[0].receive_nowait()] == _bursts(0, 0, 32)


@cocotb.test()
async def streams_follow_each_other_without_a_gap(dut):
    """A burst every other cycle while there is room, from group to group and from stream to stream."""
    ports, room = parameters()["ports"], parameters()["depth"] // 16
    source = StreamSource(dut, "i", STREAM_PIECE)
    sinks = [StreamSink(dut, f"bursts__{p}", BURST) for p in range(ports)]
    dut.taken.value = 0
    await start(dut)
    source.send_nowait(*(_piece(address << 16, 16 * bursts) for address, bursts in enumerate((5, 64, 3, 66, 3, 200))))
    await ClockCycles(dut.clk, 2 * room + 20)
    for sink in sinks:
        assert len(sink.cycles) == min(room, 341)
        assert {later - sooner for sooner, later in zip(sink.cycles[1:-1], sink.cycles[2:], strict=True)} <= {2}
