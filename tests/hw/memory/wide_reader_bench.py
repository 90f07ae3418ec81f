"""Wide reader: the cache's bytes in logical order, from ports that answer at their own paces."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.memory.shapes import BURST, READ_REQUEST
from models.machine.build import PORT_BYTES, BuildParameters
from models.machine.cache import physical
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _port(dut, port: int, memory: np.ndarray, stall: float, counts: list[int]) -> None:
    """Answers the port's bursts in order, beat by beat."""
    random, sink = generator(f"port {port}"), StreamSink(dut, f"bursts__{port}", BURST, stall=stall)
    valid, payload = getattr(dut, f"beats__{port}__valid"), getattr(dut, f"beats__{port}__payload")
    beats: list[int] = []
    pace = random.random() * stall
    while True:
        await RisingEdge(dut.clk)
        for burst in sink.receive_nowait():
            first, size = burst["address"], (burst["length"] + 1) * PORT_BYTES
            assert first // 256 == (first + size - 1) // 256, f"a burst from {first:#x} leaves its block"
            beats += [int.from_bytes(memory[at:at + PORT_BYTES].tobytes(), "little")
                      for at in range(first, first + size, PORT_BYTES)]
        goes = bool(beats) and random.random() >= pace
        valid.value = goes
        payload.value = beats.pop(0) if goes else random.getrandbits(128)
        counts[port] += goes


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.7])
async def ranges_in_turn(dut, stall):
    build = BuildParameters(**parameters()["build"])
    memory = np.random.default_rng(1).integers(0, 256, parameters()["size"], dtype=np.uint8)
    requests, counts = parameters()["requests"], [0] * build.ports
    source = StreamSource(dut, "i", READ_REQUEST, stall=stall)
    sink = StreamSink(dut, "o", stall=stall)
    for port in range(build.ports):
        getattr(dut, f"beats__{port}__valid").value = 0
        cocotb.start_soon(_port(dut, port, memory, stall, counts))
    await start(dut)
    source.send_nowait(*requests)
    for n, request in enumerate(requests):
        at = request["address"] + np.arange(request["bytes"])
        beats = memory[physical(at, build)].reshape(-1, build.beat_bytes)
        for beat, expected in enumerate(beats):
            got = await sink.receive()
            assert got == int.from_bytes(expected.tobytes(), "little"), f"request {n}, beat {beat}: {got:#x}"
    for _ in range(30):
        await RisingEdge(dut.clk)
    assert not sink.receive_nowait()
    assert counts == [len(sink.cycles)] * build.ports, f"{counts} beats came for {len(sink.cycles)}"
