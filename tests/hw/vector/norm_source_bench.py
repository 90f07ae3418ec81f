"""What NORM takes its vector from: rows by sign and size, a whole one for each pass, from each of the sources."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import RisingEdge

from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.linear.reader import READ_REQUEST, sum_word
from hw.vector.channel_memories import READ_LATENCY, residual_word
from hw.vector.norm_gain import norm_word
from hw.vector.norm_source import NORM_SOURCE
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start

LANES = 4


async def _residual(dut, words: dict[int, list[int]]) -> None:
    """The residual memory; noise beyond the row."""
    packing, random, answers = Packing.of(residual_word(LANES)), generator("residual"), []
    while True:
        await RisingEdge(dut.clk)
        index = int(dut.memory__index.value)
        answers.append(packing.pack(words[index]) if index in words else random.getrandbits(packing.width))
        if len(answers) == READ_LATENCY:
            dut.memory__word.value = answers.pop(0)


async def _answer(requests: StreamSink, answers: StreamSource, wanted: dict) -> None:
    """A row of a request, which must be the one that is wanted."""
    while True:
        request = await requests.receive()
        assert request == wanted["request"], f"{requests.name}: {request}, not {wanted['request']}"
        values = wanted["values"]
        answers.send_nowait(*({"values": values[n:n + LANES], "last": n + LANES == len(values)}
                              for n in range(0, len(values), LANES)))


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def rows_for_passes(dut, stall):
    random, settings = generator(f"passes {stall}"), Packing.of(NORM_SOURCE)
    passes = StreamSource(dut, "i_pass", stall=stall)
    sink = StreamSink(dut, "o", norm_word(LANES), always_ready=True)
    words, wanted = {}, {name: {} for name in ("attention", "gate", "up")}
    for name, asked, given in (("attention", OUTPUT_REQUEST, output_word), ("gate", READ_REQUEST, sum_word),
                               ("up", READ_REQUEST, sum_word)):
        start_soon(_answer(StreamSink(dut, f"o_{name}", asked, stall=stall),
                           StreamSource(dut, f"i_{name}", given(LANES), stall=stall), wanted[name]))
    start_soon(_residual(dut, words))
    await start(dut)
    for n, case in enumerate(parameters()["cases"]):
        given = case["settings"]
        dut.settings.value = settings.pack(given)
        words.clear()
        words |= {given["base"] + at // LANES: case["residual"][at:at + LANES]
                  for at in range(0, len(case["residual"]), LANES)}
        for name in wanted:
            wanted[name] |= {"values": case[name], "request": case["requests"].get(name)}
        for _ in range(3):
            await RisingEdge(dut.clk)
        count = 3
        passes.send_nowait(*(random.randrange(4) for _ in range(count)))
        for at in range(count):
            for word in range(0, len(case["x"]), LANES):
                got = await sink.receive()
                signed = [-channel["size"] if channel["negative"] else channel["size"] for channel in got["channels"]]
                expected = case["x"][word:word + LANES]
                assert signed == expected, f"case {n}, pass {at}, channel {word}: {signed}, not {expected}"
                assert got["last"] == (word + LANES == len(case["x"])), f"case {n}, pass {at}, channel {word}: last"
        for _ in range(20):
            await RisingEdge(dut.clk)
        assert not sink.receive_nowait(), f"case {n}: more than its passes"
