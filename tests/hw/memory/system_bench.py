"""The whole memory system at work: every client at once, blocked clients, rate."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles

from tests.hw.memory.whole_system import Bench, begin, run_everything


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
