"""LayerInputs: a norm's rows, announced a cycle ahead, and loaded words that must find their way between them."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.linear.activations import activation_layout
from hw.memory.shapes import LOAD_WORD
from hw.vector.layer_inputs import INPUT_ROW, STEP_WRITE
from hw.vector.norm_quant import quantised_word
from models.machine.descriptor import LoadTarget
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start

LANES = 4
LOADED_ROW = 128  # a norm's rows are below
_COUNTING = 9  # cycles behind a row's last word


async def _send_row(dut, random, row: dict, x: np.ndarray, pace: float) -> None:
    """A row's words, each announced by `coming`, and at the end that it stands."""
    word, words = Packing.of(quantised_word(LANES)), [x[n:n + LANES] for n in range(0, x.size, LANES)]
    dut.row.value = Packing.of(INPUT_ROW).pack(row)
    dut.i__valid.value, shown = 0, None
    while words or shown is not None:
        coming = bool(words) and random.random() < pace
        dut.coming.value = coming
        dut.i__valid.value = shown is not None
        dut.i__payload.value = word.pack({"values": shown[0], "last": shown[1]}) if shown else random.getrandbits(8)
        shown = (words.pop(0), not words) if coming else None
        await RisingEdge(dut.clk)
    dut.i__valid.value = 0
    await ClockCycles(dut.clk, _COUNTING)
    dut.counting.value = 1
    await RisingEdge(dut.clk)
    dut.counting.value = 0


def _loads(rng: np.random.Generator, count: int) -> tuple[list[dict], dict[str, list[dict]]]:
    """Words of all targets in any order, and what must come of them."""
    words, expected = [], {"o_linear": [], "o_head": [], "o_step": []}
    for target in rng.choice(list(LoadTarget), count):
        row, index = int(rng.integers(LOADED_ROW, 256)), int(rng.integers(1 << 14)) * LANES
        limit = 127 if target == LoadTarget.INPUT else 32767
        x = rng.integers(-limit, limit + 1, LANES)
        value = int.from_bytes(x.astype("<i2").tobytes(), "little") | int(rng.integers(1 << 32)) << 96
        if target == LoadTarget.STEP:
            row, index, m, e = int(rng.integers(200)), int(rng.integers(56)), *map(int, rng.integers(0, (1 << 24, 256)))
            value = value >> 32 << 32 | m | e << 24
            expected["o_step"].append({"row": row + index, "unit": {"m": m, "e": e - (e >> 7) * 256}})
        elif target in (LoadTarget.INPUT, LoadTarget.HEAD_INPUT):
            port = "o_linear" if target == LoadTarget.INPUT else "o_head"
            expected[port].append({"row": row, "index": index, "values": x.tolist()})
        words.append({"target": int(target), "row": row, "index": index, "data": value})
    return words, expected


@cocotb.test()
@cocotb.parametrize(seed=[1, 2, 3], stall=[0.0, 0.4])
async def inputs_of_both_kinds(dut, seed, stall):
    """Nothing is lost, nothing of a norm is late, and its zeros alone are counted."""
    given, random = parameters(), generator("norm")
    rng = np.random.default_rng(seed)
    words, expected = _loads(rng, 400)
    load = StreamSource(dut, "i_load", LOAD_WORD, stall=stall)
    sinks = {name: StreamSink(dut, name, layout) for name, layout in (
        ("o_linear", activation_layout(8, LANES)), ("o_head", activation_layout(16, LANES)), ("o_step", STEP_WRITE))}
    for name in ("coming", "i__valid", "i__payload", "counting", "row"):
        getattr(dut, name).value = 0
    await start(dut)
    load.send_nowait(*words)
    counted, sent = [], []

    async def count() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.activations.value or dut.zeros.value:
                counted.append((int(dut.activations.value), int(dut.zeros.value)))

    cocotb.start_soon(count())
    for _ in range(given["rows"]):
        row = {"levels16": random.randrange(2), "index": random.randrange(128), "offset": random.randrange(128),
               "count": LANES * random.randrange(1, 30)}
        x = rng.integers(-2, 3, row["count"]) * int(rng.integers(1, 60))
        number, port = (row["offset"], "o_head") if row["levels16"] else (row["index"], "o_linear")
        sent.append((row["count"], int(np.count_nonzero(x == 0))))
        found = [{"row": number, "index": n, "values": x[n:n + LANES].tolist()} for n in range(0, x.size, LANES)]
        await _send_row(dut, random, row, x, random.choice([1.0, 0.5]))
        for name, sink in sinks.items():
            got = sink.receive_nowait()
            loaded = [word for word in got if name == "o_step" or word["row"] >= LOADED_ROW]
            assert loaded == expected[name][:len(loaded)], name
            del expected[name][:len(loaded)]
            assert [word for word in got if word not in loaded] == (found if name == port else []), name
    await load.drain()
    await ClockCycles(dut.clk, 3)
    for name, sink in sinks.items():
        assert sink.receive_nowait() == expected[name], name
    assert counted == sent
