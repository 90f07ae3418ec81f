"""Write master: several clients' bursts, responses in any order, idle flags, limits, errors, the stop and a reset."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import MASTER_FAULT, WRITE_BEAT
from models.machine.build import BURST_BEATS
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents

_BLOCK = 16 * BURST_BEATS
_ANYWHERE = (1 << 32) - 1  # of the limit: all blocks but the last
_FAULT = Packing.of(MASTER_FAULT)


def _bursts(random, client: int, count: int) -> list[list[dict[str, int]]]:
    """Bursts of a client, in a region of its own, some places twice in a row. Only a first beat's address counts."""
    found = []
    for _ in range(count):
        first = random.randrange(BURST_BEATS)
        length = random.choice([1, random.randint(1, BURST_BEATS - first), BURST_BEATS - first])
        start = client << 36 | random.randrange(count // 4) * _BLOCK | first * 16
        found.append([{"address": random.getrandbits(40) if n else start, "data": random.getrandbits(128),
                       "strobe": random.choice([0xFFFF, 0, random.getrandbits(16)]), "left": length - 1 - n}
                      for n in range(length)])
    return found


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], latency=[(1, 1), (1, 50)])
async def bursts_of_all_clients(dut, stall, latency):
    contents, expected, random = Contents(), Contents(), generator("beats")
    clients = range(parameters()["clients"])
    memory = AxiMemory(dut, "axi", contents, stall=stall, latency=latency, outstanding=parameters()["outstanding"])
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT, stall=stall) for c in clients]
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, _ANYWHERE
    await start(dut)
    assert dut.idle.value == (1 << len(clients)) - 1
    work = [_bursts(random, client, 40) for client in clients]
    for source, bursts in zip(sources, work, strict=True):
        source.send_nowait(*(beat for burst in bursts for beat in burst))
    for client, (source, bursts) in enumerate(zip(sources, work, strict=True)):
        await source.drain()
        await RisingEdge(dut.clk)
        while not int(dut.idle.value) >> client & 1:
            await RisingEdge(dut.clk)
        places = [(burst[0]["address"] + 16 * n, beat) for burst in bursts for n, beat in enumerate(burst)]
        for address, beat in places:
            expected.store(address, beat["data"], beat["strobe"])
        for address, _ in places:
            assert contents.beat(address) == expected.beat(address)
        assert [burst[1:] for burst in memory.write_bursts if burst[0] == client] == [
            (burst[0]["address"], len(burst)) for burst in bursts]
    await ClockCycles(dut.clk, 2)
    assert dut.quiet.value


@cocotb.test()
async def errors_and_stop(dut):
    contents, errors = Contents(), 0
    AxiMemory(dut, "axi", contents, latency=(30, 30), outstanding=parameters()["outstanding"])
    source = StreamSource(dut, "i__1", WRITE_BEAT)
    dut.i__0__valid.value = 0
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, _ANYWHERE
    await start(dut)
    contents.refused |= {0x40, 0x50}
    source.send_nowait(*({"address": a, "data": 7, "strobe": 1, "left": 0} for a in (0x30, 0x40, 0x50, 0x60)))
    await source.drain()
    dut.stop.value = 1
    source.send_nowait({"address": 0x70, "data": 7, "strobe": 1, "left": 0})
    for _ in range(80):
        await RisingEdge(dut.clk)
        errors += int(dut.error.value)
    assert errors == 2 and dut.quiet.value
    assert contents.beat(0x60) & 255 == 7 and contents.beat(0x70) & 255 != 7
    dut.stop.value = 0
    await source.drain()
    await ClockCycles(dut.clk, 2)
    assert not dut.quiet.value


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def stop_amid_a_burst(dut, stall):
    """The beats that do not come any more are made up and write nothing."""
    contents = Contents()
    before = [contents.beat(16 * n) for n in range(8)]
    AxiMemory(dut, "axi", contents, stall=stall, latency=(5, 30), outstanding=parameters()["outstanding"])
    source = StreamSource(dut, "i__0", WRITE_BEAT)
    dut.i__1__valid.value = 0
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, _ANYWHERE
    await start(dut)
    await source.send([{"address": 0, "data": n, "strobe": 0xFFFF, "left": 7 - n} for n in range(3)])
    dut.stop.value = 1
    await ClockCycles(dut.clk, 4)
    assert not dut.quiet.value
    await ClockCycles(dut.clk, 100)
    assert dut.quiet.value
    assert [contents.beat(16 * n) for n in range(8)] == [0, 1, 2, *before[3:]]
    dut.stop.value = 0
    await source.send([{"address": 0x70, "data": 9, "strobe": 0xFFFF, "left": 0}])
    await ClockCycles(dut.clk, 100)
    assert contents.beat(0x70) == 9 and dut.quiet.value


def _burst(address: int, length: int) -> list[dict[str, int]]:
    return [{"address": address, "data": n, "strobe": 0xFFFF, "left": length - 1 - n} for n in range(length)]


@cocotb.test()
async def a_burst_outside_never_leaves(dut):
    """Every place beside the limits, and shapes that no client has; what the other client has behind it waits."""
    memory = AxiMemory(dut, "axi", Contents(), latency=(3, 9), outstanding=parameters()["outstanding"])
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, 0
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT) for c in range(2)]
    await start(dut)
    base, limit, top = 0x1234_5678, 0x1234_567A, _ANYWHERE
    places = [(base, limit, base * 256), (base, limit, limit * 256 - 16), (base, limit, base * 256 - 16),
              (base, limit, limit * 256), (base, limit, (1 << 40) - 16), (base, base, base * 256), (0, 0, 0),
              (0, 1, 0), (0, top, top * 256 - 16), (0, top, top * 256), (1, top, 0), (limit, base, base * 256),
              (base, limit, base * 256 + 1)]
    cases = [*((*place, 1) for place in places),
             *((base, limit, base * 256 + 16 * n, length) for n in range(16) for length in (16 - n, 17 - n)
               if length <= 16)]
    for low, high, address, length in cases:
        whole = low <= address >> 8 < high and address % 256 + 16 * length <= 256 and address % 16 == 0
        dut.base.value, dut.limit.value = low, high
        seen = len(memory.write_bursts)
        sources[1].send_nowait(*_burst(address, length))
        await ClockCycles(dut.clk, 40)
        assert dut.faulty.value == (not whole), (hex(address), length)
        assert memory.write_bursts[seen:] == ([(1, address, length)] if whole else [])
        if whole:
            assert dut.quiet.value
            continue
        assert _FAULT.unpack(int(dut.fault.value)) == {"client": 1, "response": 0, "address": address}
        sources[0].send_nowait(*_burst(low * 256, 2))
        await ClockCycles(dut.clk, 30)
        assert len(memory.write_bursts) == seen and dut.faulty.value
        dut.stop.value = 1
        for source in sources:
            source.stop()
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value and not dut.faulty.value
        dut.stop.value = 0
        sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT) for c in range(2)]
        await ClockCycles(dut.clk, 20)
        assert len(memory.write_bursts) == seen


@cocotb.test()
async def bursts_outside_amid_others(dut):
    """Right behind bursts inside, of the same client and of the other, at full rate."""
    memory, random = AxiMemory(dut, "axi", Contents(), latency=(2, 9), outstanding=4), generator("outside")
    base, blocks = 0x77_0000, 64
    dut.stop.value, dut.base.value, dut.limit.value = 0, base, base + blocks
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT) for c in range(2)]
    await start(dut)
    for _ in range(12):
        for source in sources:
            places = [base + random.randrange(blocks) for _ in range(random.randrange(1, 8))]
            places.append(random.choice([base - 1, base + blocks, 0]))
            lengths = [random.choice([1, 1, 16]) for _ in places]
            source.send_nowait(*(beat for block, length in zip(places, lengths, strict=True)
                                 for beat in _burst(block * 256, length)))
        await ClockCycles(dut.clk, 400)
        assert dut.faulty.value and dut.quiet.value
        assert all(base <= address >> 8 < base + blocks for _, address, _ in memory.write_bursts)
        dut.stop.value = 1
        for source in sources:
            source.stop()
        await ClockCycles(dut.clk, 3)
        dut.stop.value = 0
        sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT) for c in range(2)]
    assert len(memory.write_bursts) > 40


@cocotb.test()
async def responses_are_told_apart(dut):
    contents = Contents()
    AxiMemory(dut, "axi", contents, latency=(3, 9), outstanding=parameters()["outstanding"])
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT) for c in range(2)]
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, _ANYWHERE
    await start(dut)
    contents.refused.add(0x110)
    contents.undecoded.add(0x220)
    for address, client, response in ((0x110, 1, 2), (0x220, 0, 3)):
        sources[client].send_nowait(*_burst(address, 1))
        while not dut.faulty.value:
            await RisingEdge(dut.clk)
        fault = _FAULT.unpack(int(dut.fault.value))
        assert (fault["client"], fault["response"]) == (client, response) and dut.error.value
        await ClockCycles(dut.clk, 10)
        assert not dut.faulty.value


@cocotb.test()
async def answers_from_before_a_reset_are_dropped(dut):
    contents, random = Contents(), generator("resets")
    memory = AxiMemory(dut, "axi", contents, latency=(20, 90), outstanding=parameters()["outstanding"])
    contents.refused |= set(range(0, 1 << 16, 64))
    dut.stop.value, dut.base.value, dut.limit.value = 0, 0, _ANYWHERE
    dut.i__0__valid.value = 0
    source = StreamSource(dut, "i__1", WRITE_BEAT)
    await start(dut)
    for _ in range(6):
        source.send_nowait(*(beat for _ in range(20) for beat in _burst(random.randrange(1 << 12) * 16, 1)))
        await ClockCycles(dut.clk, random.randrange(10, 30))
        dut.stop.value = 1
        while not memory.write_settled:  # a burst without all its beats would take the next one's
            await RisingEdge(dut.clk)
        dut.rst.value = 1
        source.stop()
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        source = StreamSource(dut, "i__1", WRITE_BEAT)
        assert memory.left and dut.idle.value == 3
        while memory.left:
            await RisingEdge(dut.clk)
            assert dut.idle.value == 3 and not dut.error.value
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value
        dut.stop.value = 0
        source.send_nowait(*_burst(1 << 20, 4))
        await source.drain()
        await ClockCycles(dut.clk, 2)
        assert dut.idle.value == 1
        await ClockCycles(dut.clk, 120)
        assert dut.idle.value == 3 and dut.quiet.value
