"""The choice of a shortlist against the golden scores: commands that make up lists, gains out of a memory."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.linear.reader import sum_word
from hw.memory.shapes import LIST_PLACE
from hw.vector.channel_memories import gain_word
from hw.vector.select import SELECT_SETTINGS
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _gains(dut, held: dict[str, np.ndarray], lanes: int) -> None:
    """The memory and its output register, which stand still while `hold`."""
    packing, random = Packing.of(gain_word(lanes)), generator("gains")
    fetched, word = (random.getrandbits(packing.width) for _ in range(2))
    while True:
        dut.gain__word.value = word
        await RisingEdge(dut.clk)
        if not dut.hold.value:
            words, index = held["gains"].reshape(-1, lanes), int(dut.gain__index.value)
            word = fetched
            fetched = packing.pack(words[index]) if index < len(words) else random.getrandbits(packing.width)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def shortlists(dut, stall):
    lanes = parameters()["lanes"]
    sums, places = StreamSource(dut, "i", sum_word(lanes), stall=stall), StreamSource(dut, "read", LIST_PLACE)
    ids, settings = StreamSink(dut, "o"), Packing.of(SELECT_SETTINGS)
    held = {"gains": np.zeros(lanes, int)}
    dut.start.value = 0
    cocotb.start_soon(_gains(dut, held, lanes))
    await start(dut)
    scores: dict[int, list] = {}  # of a row: (score, id), in the order of the ids
    for n, command in enumerate(parameters()["commands"]):
        x, gains = (np.array(command[name]) for name in ("sums", "gains"))
        row, count = command["row"], len(x)
        behind = -count % lanes  # sums of other outputs, large ones
        held["gains"] = np.concatenate([gains, np.full(behind, 32767)])
        padded = np.concatenate([x, np.full(behind, (1 << 23) - 1)]).reshape(-1, lanes)
        dut.settings.value = settings.pack({"row": row, "count": count, **{
            name: command[name] for name in ("first_id", "k", "begin")}})
        await RisingEdge(dut.clk)
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        sums.send_nowait(*({"values": values, "last": at == len(padded) - 1} for at, values in enumerate(padded)))
        waited = 0
        while True:
            await RisingEdge(dut.clk)
            waited += 1
            assert waited < 5000, f"command {n} does not end"
            if dut.done.value:
                break
        offered = [(int(a) * int(b), command["first_id"] + at) for at, (a, b) in enumerate(zip(x, gains, strict=True))]
        scores[row] = ([] if command["begin"] else scores[row]) + offered
        best = sorted(scores[row], key=lambda entry: -entry[0])[:command["k"]]
        places.send_nowait(*({"row": row, "index": index} for index in range(len(best))))
        got = await ids.receive(len(best))
        assert got == [id for _, id in best], f"command {n}: {got}, not {[id for _, id in best]}"
