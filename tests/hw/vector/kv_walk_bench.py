"""The walk over heads for the cache: where each beat goes and what of the stage it is, in the order of the ports."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.vector.kv_walk import KV_TARGET, walked_beat
from sim.packing import Packing
from sim.testbench import generator, parameters, start

_SETTLE = 5  # cycles from a target until its first head is there


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def runs_in_turn(dut, stall):
    """Heads come one by one, room comes and goes."""
    given, random = parameters(), generator(f"stall {stall}")
    target, now = Packing.of(KV_TARGET), Packing.of(walked_beat(given["beats"]))
    dut.waiting.value = dut.room.value = 0
    await start(dut)
    for n, run in enumerate(given["runs"]):
        dut.target.value = target.pack(run["target"])
        for name in ("row", "offset", "scale_offset", "head_beats"):
            getattr(dut, name).value = run[name]
        await ClockCycles(dut.clk, _SETTLE)
        assert dut.idle.value
        heads, come, left, cycles = run["target"]["heads"], 0, 0, 0
        scales, places, before = [], [], None
        while left < heads:
            if come < heads and random.random() >= stall / 4:
                come += 1
            dut.waiting.value = come - left
            room = random.random() >= stall
            dut.room.value = room
            await RisingEdge(dut.clk)
            cycles += 1
            assert cycles < 3000, f"run {n} does not end"
            beat = now.unpack(int(dut.now.value))
            assert room or not (beat["scales"] or beat["place"]), f"run {n}: a beat without room"
            if beat["scales"]:
                scales.append([int(dut.read_head.value), int(dut.read_scales.value), beat["address"], beat["lanes"]])
            if beat["place"]:
                if before is not None:  # of the same port
                    assert beat["at"] == before["next_at"], f"run {n}: {beat} behind {before}"
                before = None if beat["port_ends"] else beat
                if beat["at"] < beat["wide"]:
                    places.append([int(dut.read_row.value), int(dut.read_beat.value), beat["address"], beat["tail"]])
            if dut.leaves.value:
                left += 1
                for kind, found in (("scales", scales), ("places", places)):
                    expected = run[kind][left - 1]
                    assert found == expected, f"run {n}, head {left - 1}, {kind}: {found}, not {expected}"
                    found.clear()
        dut.waiting.value = 0
