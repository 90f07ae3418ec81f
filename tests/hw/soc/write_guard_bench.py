"""Write guard: a master that is reset at any time never leaves the memory half a burst."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import WRITE_BEAT
from hw.soc.core_reset import CUT_CYCLES
from sim.streams import StreamSource
from sim.testbench import generator, start
from tests.hw.memory.axi_memory import AxiMemory, Contents

_ROUND = 64 * 256  # bytes that a round writes to
_PATIENCE = 2000


class _PatientMemory(AxiMemory):
    """Takes data at their transfer, whatever was shown before."""

    def _observe(self, channel: str, ready: bool) -> tuple | None:
        payload = super()._observe(channel, ready)
        if channel == "w":
            self._held.pop("w", None)
        return payload


def _bursts(random, start: int) -> list[list[dict[str, int]]]:
    found = []
    for block in range(24):
        first = random.randrange(16)
        length = random.choice([1, 16 - first])
        found.append([{"address": start + block * 256 + first * 16, "data": random.getrandbits(128),
                       "strobe": 0xFFFF, "left": length - 1 - n} for n in range(length)])
    return found


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3, 0.9])
async def cut_at_any_time(dut, stall):
    contents, random = Contents(), generator("cuts")
    memory = _PatientMemory(dut, "axi", contents, stall=stall, latency=(1, 40))
    dut.request.value = 0
    await start(dut)
    cut = 0
    for number in range(60):
        bursts = _bursts(random, number * _ROUND)
        source = StreamSource(dut, "i", WRITE_BEAT, stall=random.choice([0.0, 0.5]))
        source.send_nowait(*(beat for burst in bursts for beat in burst))
        await ClockCycles(dut.clk, random.randrange(4, 120))
        cut += not memory.write_settled
        dut.request.value = 1
        await ClockCycles(dut.clk, random.choice([1, 1, 3]))
        dut.request.value = 0
        source.stop()
        seen = len(memory.write_bursts)
        await ClockCycles(dut.clk, CUT_CYCLES + 2)
        for _ in range(_PATIENCE):
            if dut.whole.value and memory.write_settled and not memory.left:
                break
            await RisingEdge(dut.clk)
        assert memory.write_settled, "the memory is left with half a burst"
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value
        assert len(memory.write_bursts) <= seen + 1  # the one that the memory was shown
        for burst in bursts:
            for n, beat in enumerate(burst):
                place = burst[0]["address"] + 16 * n
                assert contents.beat(place) in (beat["data"], Contents().beat(place))
    assert cut > 5

    bursts = _bursts(random, 60 * _ROUND)
    source = StreamSource(dut, "i", WRITE_BEAT)
    await source.send([beat for burst in bursts for beat in burst])
    await ClockCycles(dut.clk, 10)
    for _ in range(_PATIENCE):
        if dut.quiet.value:
            break
        await RisingEdge(dut.clk)
    for burst in bursts:
        for n, beat in enumerate(burst):
            assert contents.beat(burst[0]["address"] + 16 * n) == beat["data"]
