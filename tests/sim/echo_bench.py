"""Not of a unit: passes or fails as its parameters say, for the tests of the runner itself."""

import cocotb

from sim.testbench import generator, parameters, seed


@cocotb.test()
async def parameters_arrive(dut):
    assert parameters() == {"table": [[1, -2], [3, 4]], "gain": 0.5, "name": "µ", "long": "x" * (1 << 18),
                            "wanted": parameters()["wanted"]}


@cocotb.test()
async def the_seed_arrives(dut):
    first = generator("a").getrandbits(64)
    assert first == generator("a").getrandbits(64) != generator("b").getrandbits(64)
    assert seed() == parameters()["wanted"]


async def helper(dut):
    """Not a test."""
