"""OutputMemory: rows written, then read aligned to their largest exponent."""

from __future__ import annotations

import cocotb
import numpy as np

from hw.attention.output_memory import OutputMemory
from models.golden.rounding import round_shift
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def aligned_rows(dut, stall):
    """Every row is written with exponents of all distances, then read twice, rows interleaved."""
    given = parameters()
    unit, written = OutputMemory(**given["unit"]), given["unit"]["written"]
    writes = StreamSource(dut, "i", unit.i.payload.shape(), stall=stall)
    exponents_in = StreamSource(dut, "i_exponent", unit.i_exponent.payload.shape())
    requests = StreamSource(dut, "i_request", unit.i_request.payload.shape())
    sink = StreamSink(dut, "o", unit.o.payload.shape(), stall=stall)
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    for groups, channels, span in given["cases"]:
        rows = []
        for row in range(given["unit"]["rows"]):
            x = rng.integers(-(1 << 24), (1 << 24) + 1, groups * channels)
            x[::3] &= -(1 << 12)  # ties
            exponents = rng.integers(-144, -144 + span, groups)
            rows.append((x, exponents))
            await exponents_in.send({"row": row, "group": g // 2, "exponent": exponents[g // 2]}
                                    for g in range(2 * len(exponents)))  # each group twice
            places = rng.permutation(len(x) // written) * written
            await writes.send({"row": row, "channel": n, "x": x[n:n + written].tolist()} for n in places)
        for row in (*range(len(rows)), *range(len(rows))):
            x, exponents = rows[row]
            requests.send_nowait({"count": len(x), "row": row, "group_channels": channels})
            elements = await sink.receive_packet()
            top = int(exponents.max())
            assert dut.exponent.value.to_signed() == top
            expected = round_shift(x, np.repeat(top - exponents, channels)).tolist()
            assert [x for e in elements for x in e["values"]] == expected, (groups, channels, span, row)
            assert sum(e["last"] for e in elements) == 1
