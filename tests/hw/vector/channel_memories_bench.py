"""Channel memories against arrays: loads of all targets, residual words written beside them, reads at any time."""

from __future__ import annotations

from collections import deque

import cocotb
from cocotb.triggers import RisingEdge

from hw.memory.shapes import LOAD_CHANNELS, LOAD_WORD
from hw.vector.channel_memories import READ_LATENCY, residual_write
from models.machine.descriptor import LoadTarget
from sim.packing import Packing
from sim.testbench import generator, parameters, start

LATE = 3  # cycles from a write until reads see it
BITS = {LoadTarget.RESIDUAL: 32, LoadTarget.GAIN: 16, LoadTarget.TAP: 64}  # of a channel


class Memories:
    """Each word's values with the cycle of the write, newest last."""

    def __init__(self, sizes: dict[LoadTarget, int], lanes: int) -> None:
        self.lanes = lanes
        self.words = {target: [[(-LATE, None)] for _ in range(size)] for target, size in sizes.items()}

    def write(self, target: LoadTarget, index: int, value: int, mask: int, cycle: int) -> None:
        last = self.words[target][index][-1][1]
        value = value if last is None else last & ~mask | value & mask
        self.words[target][index].append((cycle, value))

    def load(self, load: dict, cycle: int) -> None:
        lanes, target = self.lanes, load["target"]
        channels = min(LOAD_CHANNELS[target], lanes)
        if target == LoadTarget.AFFINE:
            pairs = [load["data"] >> 32 * lane & 0xFFFFFFFF for lane in range(lanes)]
            taps = sum((0xFFFF << 32 | pair) << 64 * lane for lane, pair in enumerate(pairs))
            self.write(LoadTarget.TAP, load["index"] // lanes, taps, -1, cycle)
            return
        width = BITS[target] * channels
        at, mask = load["index"] % lanes // channels * width, (1 << width) - 1
        self.write(target, load["index"] // lanes, (load["data"] & mask) << at, mask << at, cycle)

    def allowed(self, target: LoadTarget, index: int, cycle: int) -> list[int | None]:
        """What a read may see: what is old enough, and what comes close to it."""
        found = self.words[target][index]
        old = [value for at, value in found if at <= cycle - LATE]
        return old[-1:] + [value for at, value in found if cycle - LATE < at <= cycle]


@cocotb.test()
async def reads_see_writes(dut):
    """First every word is loaded, part by part; then loads, writes and reads at random, and the gains' hold."""
    given, random = parameters(), generator("memories")
    lanes = given["lanes"]
    sizes = {LoadTarget.RESIDUAL: given["residual_words"], LoadTarget.GAIN: given["words"],
             LoadTarget.TAP: given["words"]}
    memories = Memories(sizes, lanes)
    load_packing, write_packing = Packing.of(LOAD_WORD), Packing.of(residual_write(lanes))
    first = [(target, channel) for target, size in sizes.items()
             for channel in range(0, size * lanes, min(LOAD_CHANNELS[target], lanes))]
    random.shuffle(first)
    dut.i_load__valid.value = dut.i_residual__valid.value = dut.gain_hold.value = 0
    await start(dut)
    load = waiting = None  # on offer; taken and not yet written
    gains, reads = deque([None] * READ_LATENCY), deque()
    compared = waits = 0
    for cycle in range(given["cycles"]):
        if load is None and (first or random.random() < 0.7):
            if first:
                target, channel = first.pop()
            else:
                target = random.choice([*sizes, LoadTarget.AFFINE, LoadTarget.ROPE, LoadTarget.STEP])
                words = given["words"] if target == LoadTarget.AFFINE else sizes.get(target, 8)
                channel = random.randrange(0, words * lanes, min(LOAD_CHANNELS[target], lanes))
            load = {"target": target, "row": random.getrandbits(8), "index": channel, "data": random.getrandbits(128)}
        dut.i_load__valid.value = load is not None
        dut.i_load__payload.value = load_packing.pack(load) if load else random.getrandbits(load_packing.width)
        written = None
        if not first and random.random() < 0.4:
            written = {"index": random.randrange(given["residual_words"]), "h": [
                random.getrandbits(32) - 2**31 for _ in range(lanes)]}
        dut.i_residual__valid.value = written is not None
        if written:
            dut.i_residual__payload.value = write_packing.pack(written)
        hold = not first and random.random() < 0.3
        dut.gain_hold.value = hold
        asked = {target: random.randrange(size) for target, size in sizes.items()}
        for target, index in asked.items():
            getattr(dut, f"{target.name.lower()}__index").value = index
        await RisingEdge(dut.clk)
        # what was asked for READ_LATENCY cycles ago is there; of the gains, moving cycles ago
        reads.append({target: memories.allowed(target, index, cycle) for target, index in asked.items()})
        there = reads.popleft() if len(reads) > READ_LATENCY else {}
        there[LoadTarget.GAIN] = gains[0]
        for target, values in there.items():
            if values and None not in values:
                got = int(getattr(dut, f"{target.name.lower()}__word").value)
                assert got in values, f"{target.name} in cycle {cycle} is {got:#x}, not {[hex(v) for v in values]}"
                compared += 1
        if not hold:
            gains.popleft()
            gains.append(memories.allowed(LoadTarget.GAIN, asked[LoadTarget.GAIN], cycle))
        if written:
            memories.write(LoadTarget.RESIDUAL, written["index"], write_packing.pack(written) >> 16, -1, cycle)
        # a load is written a cycle after its transfer, into the residual stream behind what is written there
        stands = written is not None and waiting is not None and waiting["target"] == LoadTarget.RESIDUAL
        assert bool(dut.i_load__ready.value) != stands
        waits += stands
        if not stands:
            if waiting is not None and waiting["target"] in (*sizes, LoadTarget.AFFINE):
                memories.load(waiting, cycle)
            waiting, load = load, None
    assert compared > 2 * given["cycles"] and waits > 10
