"""Accumulator reader against slices of the sums, the memory's answers late and the user slow."""

from __future__ import annotations

import cocotb
import numpy as np
from amaranth.hdl import signed
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.linear.accumulator import ACCUMULATOR_BITS, READ_LATENCY, word_request
from hw.linear.reader import READ_REQUEST, sum_word
from models.machine.build import BuildParameters
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _memory(dut, sink, sums, build, slowest) -> None:
    """Answers what is asked for in order, up to `slowest` cycles later than READ_LATENCY."""
    random = generator("memory")
    packing = Packing.of(data.ArrayLayout(signed(ACCUMULATOR_BITS), build.outputs_per_step))
    due, cycle = [], 0
    while True:
        await RisingEdge(dut.clk)
        cycle += 1
        for asked in sink.receive_nowait():
            least = max(cycle + READ_LATENCY - 1, due[-1][0] + 1 if due else 0)
            due.append((least + random.randint(0, slowest), asked))
        answers = bool(due) and due[0][0] <= cycle
        dut.returned.value = answers
        if answers:
            asked = due.pop(0)[1]
            batch, word = divmod(asked["word"], build.batch_words)
            dut.words.value = packing.pack(sums[batch * build.rows + asked["row"]][word])
        else:
            dut.words.value = random.getrandbits(packing.width)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def ranges_of_sums(dut, stall):
    build, requests = BuildParameters(**parameters()["build"]), parameters()["requests"]
    outputs, lanes = build.outputs_per_step, build.lanes
    sums = np.random.default_rng(1).integers(-(1 << 23), 1 << 23, (build.slots, build.batch_words, outputs))
    source = StreamSource(dut, "request", READ_REQUEST, stall=stall)
    asks = StreamSink(dut, "asks", word_request(build), stall=stall)
    sink = StreamSink(dut, "o", sum_word(lanes), stall=stall)
    dut.returned.value = 0
    cocotb.start_soon(_memory(dut, asks, sums, build, 3 if stall else 0))
    await start(dut)
    source.send_nowait(*requests)
    for n, request in enumerate(requests):
        flat = sums[request["row"]].reshape(-1)[request["accumulator"] * outputs:]
        transfers = -(-request["count"] // lanes)
        for at in range(transfers):
            got = await sink.receive()
            expected = {"values": flat[at * lanes:(at + 1) * lanes].tolist(), "last": int(at == transfers - 1)}
            assert got == expected, f"request {n}, transfer {at}: {got}, not {expected}"
        if not stall and transfers > 8:  # a transfer a cycle
            assert sink.cycles[-1] - sink.cycles[-transfers] == transfers - 1
    for _ in range(20):
        await RisingEdge(dut.clk)
    assert not sink.receive_nowait()
