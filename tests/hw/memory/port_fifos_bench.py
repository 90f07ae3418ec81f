"""Port FIFOs: ports at their own pace, wide beats in step."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import RisingEdge

from sim.streams import StreamSink
from sim.testbench import generator, parameters, start


async def _fill(dut, port: int, beats: list[int], pace: float) -> None:
    """Send a port's beats at a rate of its own, never more than there is room for."""
    random, room = generator(f"port {port}"), parameters()["depth"]
    valid = getattr(dut, f"i__{port}__valid")
    queue = list(beats)
    while True:
        shows = bool(queue) and room > 0 and random.random() < pace
        valid.value = shows
        if shows:
            getattr(dut, f"i__{port}__payload").value = queue.pop(0)
            room -= 1
        await RisingEdge(dut.clk)
        room += int(dut.taken.value) >> port & 1


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.6], slowest=[1.0, 0.2])
async def beats_in_step(dut, stall, slowest):
    random, ports = generator("beats"), parameters()["ports"]
    sink = StreamSink(dut, "o", stall=stall)
    for port in range(ports):
        getattr(dut, f"i__{port}__valid").value = 0
    await start(dut)
    lanes = [[random.getrandbits(128) for _ in range(300)] for _ in range(ports)]
    for port, beats in enumerate(lanes):
        start_soon(_fill(dut, port, beats, slowest if port == ports - 1 else 1.0))
    wide = [sum(beat << 128 * port for port, beat in enumerate(beats)) for beats in zip(*lanes, strict=True)]
    assert await sink.receive(len(wide)) == wide
    if stall == 0 and slowest == 1:
        assert sink.cycles[-1] - sink.cycles[0] == len(wide) - 1
