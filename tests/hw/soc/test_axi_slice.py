# amaranth: UnusedElaboratable=no
"""AXI slice: each channel's transfers pass in order, whatever pauses; no input is seen at an output in its cycle."""

from __future__ import annotations

import random

import pytest
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from hw.memory.axi import Axi4
from hw.soc.axi_slice import AxiSlice

CHANNELS = {"ar": True, "r": False, "aw": True, "w": True, "b": False}  # whether from the master
COUNT = 60


def ends(unit, channel):
    """Where a channel comes from, where it goes, and what it bears."""
    members, forth = Axi4().members, CHANNELS[channel]
    names = [name for name in members if name.startswith(channel) and name[len(channel):] not in ("valid", "ready")
             and (members[name].flow == Out) == forth]
    return (unit.i, unit.o, names) if forth else (unit.o, unit.i, names)


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_transfers_pass_in_order(pause):
    unit, rng = AxiSlice(), random.Random(3)
    sent = {channel: [[rng.getrandbits(len(getattr(unit.i, name))) for name in ends(unit, channel)[2]]
                      for _ in range(COUNT)] for channel in CHANNELS}
    came = {channel: [] for channel in CHANNELS}

    def source(channel):
        async def send(ctx):
            side, _, names = ends(unit, channel)
            valid, ready = getattr(side, f"{channel}valid"), getattr(side, f"{channel}ready")
            for values in sent[channel]:
                while rng.random() < pause:
                    await ctx.tick()
                for name, value in zip(names, values, strict=True):
                    ctx.set(getattr(side, name), value)
                ctx.set(valid, 1)
                await ctx.tick().until(ready)
                ctx.set(valid, 0)
        return send

    def sink(channel):
        async def take(ctx):
            _, side, names = ends(unit, channel)
            valid, ready = getattr(side, f"{channel}valid"), getattr(side, f"{channel}ready")
            while len(came[channel]) < COUNT:
                while rng.random() < pause:
                    await ctx.tick()
                ctx.set(ready, 1)
                values = await ctx.tick().sample(*(getattr(side, name) for name in names)).until(valid)
                came[channel].append([int(value) for value in values])
                ctx.set(ready, 0)
        return take

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    for channel in CHANNELS:
        simulator.add_testbench(source(channel))
        simulator.add_testbench(sink(channel))
    simulator.run()
    assert came == sent


def test_no_path_leads_through_it():
    unit = AxiSlice()
    outputs = [getattr(side, name) for side, flow in ((unit.i, Out), (unit.o, None))
               for name, member in Axi4().members.items() if (member.flow == Out) != (flow == Out)]
    inputs = [getattr(side, name) for side, flow in ((unit.i, None), (unit.o, Out))
              for name, member in Axi4().members.items() if (member.flow == Out) != (flow == Out)]

    async def look(ctx):
        for _ in range(3):
            before = [ctx.get(signal) for signal in outputs]
            for signal in inputs:
                ctx.set(signal, ~ctx.get(signal) & ((1 << len(signal)) - 1))
            assert [ctx.get(signal) for signal in outputs] == before
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(look)
    simulator.run()
