"""Words through the tap, their parameters out of a memory that answers READ_LATENCY cycles later."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.vector.channel_memories import READ_LATENCY, tap_word
from hw.vector.tap import TAP_SETTINGS
from hw.vector.word_tap import WordTap, tapped_word
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _memory(dut, words: list[int]) -> None:
    random, width, under_way = generator("memory"), Packing.of(tap_word(4)).width, []
    while True:
        index = int(dut.memory__index.value)
        under_way.append(words[index] if index < len(words) else random.getrandbits(width))
        if len(under_way) > READ_LATENCY:
            del under_way[0]
        dut.memory__word.value = under_way[0]
        await RisingEdge(dut.clk)


@cocotb.test()
@cocotb.parametrize(gap=[0.0, 0.4])
async def rows_in_turn(dut, gap):
    given = parameters()
    source = StreamSource(dut, "i", tapped_word(4), stall=gap)
    sink, words, packing = StreamSink(dut, "o", tapped_word(4), always_ready=True), [], Packing.of(tap_word(4))
    await start(dut)
    cocotb.start_soon(_memory(dut, words))
    for n, case in enumerate(given["cases"]):
        dut.settings.value = Packing.of(TAP_SETTINGS).pack(case["settings"])
        words[:] = [packing.pack(word) for word in case["words"]]
        for _ in range(READ_LATENCY):
            await RisingEdge(dut.clk)
        for row, expected in zip(case["x"], case["y"], strict=True):
            source.send_nowait(*({"x": x, "last": at == len(row) - 1} for at, x in enumerate(row)))
            for at, y in enumerate(expected):
                got = await sink.receive()
                assert got == {"x": y, "last": int(at == len(expected) - 1)}, f"case {n}, word {at}: {got}, not {y}"
    for _ in range(WordTap.LATENCY + 2):
        await RisingEdge(dut.clk)
    assert not sink.receive_nowait()
