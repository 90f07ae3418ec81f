"""A bench for units without streams: what the inputs are in each cycle, and what the outputs then have to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
from amaranth.lib import wiring
from cocotb.triggers import RisingEdge

from sim.packing import Packing
from sim.runner import run_bench
from sim.testbench import parameters, start

__all__ = ["check_cycles"]


def check_cycles(component: wiring.Component, *, inputs: Mapping[str, Sequence[Any]],
                 outputs: Mapping[str, Sequence[Any]]) -> None:
    """Give the input ports a value a cycle from the reset's end on, and compare the output ports in each of them.

    Ports by path (``i__payload``), values as `sim.packing` takes them, all lists of one length. An output of None is
    not compared in its cycle. Raises BenchFailure where an output differs.
    """
    shapes = {"__".join(map(str, path)): member.shape for path, member, _ in component.signature.flatten(component)}

    def pack(values):
        return {port: [None if value is None else Packing.of(shapes[port]).pack(value) for value in each]
                for port, each in values.items()}

    lengths = {port: len(values) for port, values in (*inputs.items(), *outputs.items())}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"a value a cycle is wanted of every port, got {lengths}")
    run_bench(component, "tests.hw.cycle_table", {"inputs": pack(inputs), "outputs": pack(outputs)})


@cocotb.test()
async def cycles_match(dut):
    """Every output has its value in every cycle."""
    given = parameters()
    inputs = [(getattr(dut, port), values) for port, values in given["inputs"].items()]
    outputs = [(port, getattr(dut, port), values) for port, values in given["outputs"].items()]
    for handle, values in inputs:
        handle.value = values[0]
    await start(dut)
    for cycle in range(len(inputs[0][1])):
        for handle, values in inputs:
            handle.value = values[cycle]
        await RisingEdge(dut.clk)
        for port, handle, values in outputs:
            expected = values[cycle]
            if expected is not None:
                got = int(handle.value)
                assert got == expected, f"{port} is {got:#x} in cycle {cycle}, not {expected:#x}"
