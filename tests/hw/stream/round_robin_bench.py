"""Round robin against its rule: the first request behind the last granted one, around the end."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from sim.testbench import generator, parameters, start


@cocotb.test()
async def grants_by_the_rule(dut):
    random, count = generator("requests"), parameters()["count"]
    dut.requests.value = 0
    dut.advance.value = 0
    await start(dut)
    last = count - 1  # the first one has the first turn
    for _ in range(2000):
        requests, advance = random.getrandbits(count) & random.getrandbits(count), random.random() < 0.7
        dut.requests.value = requests
        dut.advance.value = advance
        await RisingEdge(dut.clk)
        order = [(last + 1 + i) % count for i in range(count)]
        granted = next((i for i in order if requests >> i & 1), None)
        assert int(dut.grant.value) == (0 if granted is None else 1 << granted)
        if advance and granted is not None:
            last = granted
