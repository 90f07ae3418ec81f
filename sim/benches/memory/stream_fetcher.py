"""Stream fetcher: each port's bursts as `stripe` lays streams out, within the buffer's room."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import BURST
from models.machine.descriptor import Opcode, pack
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


def _command(address: int, beats: int) -> int:
    return int.from_bytes(pack(Opcode.STREAM, address=address, beats=beats, padding=0, head=0), "little")


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
    source = StreamSource(dut, "command", stall=stall)
    sinks = [StreamSink(dut, f"bursts__{p}", BURST, stall=stall) for p in range(ports)]
    bursts: list[list[dict]] = [[] for _ in range(ports)]
    dut.taken.value = 0
    await start(dut)
    start_soon(_free(dut, sinks, bursts, rate))
    streams = [(random.randrange(1 << 31) * 256, 16 * groups) for groups in (1, 0, 3, 2, 20, 0, 1, 1, 40)]
    source.send_nowait(*(_command(*stream) for stream in streams))
    for _ in streams:
        while not dut.retired.value:
            await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 4)
    for port, sent in enumerate(bursts):
        expected = [address + 256 * (ports * group + port)
                    for address, beats in streams for group in range(beats // 16)]
        assert [burst["address"] for burst in sent] == expected
        assert all(burst["length"] == 15 for burst in sent)


@cocotb.test()
async def ports_run_ahead_alone(dut):
    """A port that is held up does not hold up the others; the command retires with the last one."""
    ports = parameters()["ports"]
    source = StreamSource(dut, "command")
    sinks = [StreamSink(dut, f"bursts__{p}", BURST, stall=1.0 if p == 0 else 0.0) for p in range(ports)]
    dut.taken.value = 0
    await start(dut)
    source.send_nowait(_command(0, 32))
    await ClockCycles(dut.clk, 40)
    assert [len(sink.receive_nowait()) for sink in sinks] == [0] + [2] * (ports - 1)
    assert not dut.command__ready.value
    sinks[0].stall = 0.0
    while not dut.retired.value:
        await RisingEdge(dut.clk)
    assert len(sinks[0].receive_nowait()) == 2
