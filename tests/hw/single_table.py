"""A bench for any unit whose streams are known in advance: what goes in, and what has to come out.

`table` packs the values, so that the bench itself needs no layouts: payloads travel as integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
from amaranth.lib import wiring
from cocotb.triggers import ClockCycles

from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

__all__ = ["BENCH", "table"]

BENCH = "tests.hw.single_table"
_QUIET_CYCLES = 60  # after the last expected transfer, in which nothing more may come


def _shape(component: wiring.Component, port: str):
    member = component.signature.members[port]
    return member.shape if member.is_port else member.signature.members["payload"].shape


def table(component: wiring.Component, *, settings: Mapping[str, Any] | None = None,
          inputs: Mapping[str, Sequence[Any]], outputs: Mapping[str, Sequence[Any]],
          care: Mapping[str, Sequence[Any]] | None = None, first: str | None = None,
          stall: float = 0.0) -> dict[str, Any]:
    """The bench's parameters: steady input ports, input streams and expected output streams, by port name.

    `care` masks the bits that are compared, transfer by transfer; ports it does not name are compared whole.
    The input stream `first` is through before the others begin.
    """
    def pack(values):
        return {port: [Packing.of(_shape(component, port)).pack(v) for v in each] for port, each in values.items()}

    steady = {port: Packing.of(_shape(component, port)).pack(value) for port, value in (settings or {}).items()}
    always_ready = [port for port in outputs if component.signature.members[port].signature.always_ready]
    return {"settings": steady, "inputs": pack(inputs), "outputs": pack(outputs), "care": pack(care or {}),
            "always_ready": always_ready, "first": first, "stall": stall}


@cocotb.test()
async def streams_match(dut):
    """Every output stream gives exactly the expected payloads, in order."""
    given = parameters()
    for port, value in given["settings"].items():
        getattr(dut, port).value = value
    sources = {port: StreamSource(dut, port, stall=given["stall"]) for port in given["inputs"]}
    sinks = {port: StreamSink(dut, port, stall=given["stall"], always_ready=port in given["always_ready"])
             for port in given["outputs"]}
    await start(dut)
    if given["first"] is not None:
        await sources.pop(given["first"]).send(given["inputs"][given["first"]])
    for port, source in sources.items():
        source.send_nowait(*given["inputs"][port])
    for port, sink in sinks.items():
        care = given["care"].get(port)
        for n, expected in enumerate(given["outputs"][port]):
            got, mask = await sink.receive(), care[n] if care else -1
            assert got & mask == expected & mask, f"{port}[{n}] is {got:#x}, not {expected:#x}"
    await ClockCycles(dut.clk, _QUIET_CYCLES)
    for port, sink in sinks.items():
        assert not sink.receive_nowait(), f"{port} gave more than {len(given['outputs'][port])} transfers"
