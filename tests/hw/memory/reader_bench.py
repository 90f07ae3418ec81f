"""Reader: bursts within their blocks and within the room, beats in the order of the requests."""

from __future__ import annotations

from collections import deque

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import BURST, READ_REQUEST
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import Contents


class Port:
    """Takes bursts and answers them after a while, one beat a cycle at most. Checks each burst."""

    def __init__(self, dut, contents: Contents, *, stall: float) -> None:
        self.dut, self.contents, self.stall = dut, contents, stall
        self.bursts = StreamSink(dut, "bursts", BURST, stall=stall)
        self.random = generator("port")
        self.asked = 0
        dut.beats__valid.value = 0
        start_soon(self._answer())

    async def _answer(self) -> None:
        beats: deque[int] = deque()
        while True:
            await RisingEdge(self.dut.clk)
            for burst in self.bursts.receive_nowait():
                length = burst["length"] + 1
                assert burst["address"] % 16 == 0
                assert burst["address"] // 256 == (burst["address"] + 16 * length - 1) // 256
                beats.extend(burst["address"] + 16 * i for i in range(length))
                self.asked += length
            shows = bool(beats) and self.random.random() >= self.stall
            self.dut.beats__valid.value = shows
            if shows:
                self.dut.beats__payload.value = self.contents.beat(beats.popleft())


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], drain=[0.0, 0.8])
async def requests_in_order(dut, stall, drain):
    random, contents = generator("requests"), Contents()
    Port(dut, contents, stall=stall)
    source, sink = StreamSource(dut, "i", READ_REQUEST, stall=stall), StreamSink(dut, "o", stall=drain)
    await start(dut)
    sizes = [0, 1, 15, 16, 17, 255, 256, 257, 4096, *(random.randrange(600) for _ in range(20))]
    expected = []
    for size in sizes:
        address = random.choice([random.randrange(1 << 30) * 16, 0xFF_FFFF_0000 + 16 * random.randrange(200)])
        source.send_nowait({"address": address, "bytes": size})
        expected += [contents.beat(a) for a in range(address, address + size, 16)]
    assert await sink.receive(len(expected)) == expected
    await ClockCycles(dut.clk, 60)
    assert not sink.receive_nowait()


@cocotb.test()
async def asks_for_no_more_than_fits(dut):
    contents, depth = Contents(), parameters()["depth"]
    port = Port(dut, contents, stall=0.0)
    source = StreamSource(dut, "i", READ_REQUEST)
    dut.o__ready.value = 0
    await start(dut)
    source.send_nowait({"address": 0x110, "bytes": 0xFFFF_FFFF})
    await ClockCycles(dut.clk, 400)
    # The memory and the two registers behind it, less what is left of a burst that does not fit.
    assert depth + 2 - 16 < port.asked <= depth + 2
