"""Row walk: each beat taken is the one it should be, rows begin only where there is room, and no beat is lost."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.head.row_walk import ROW_TAG
from hw.memory.shapes import LISTED_ROW
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start

ROW = Packing.of(data.StructLayout({"valid": 1, "tag": ROW_TAG}))


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def beats_of_commands(dut, stall):
    random, beat_bytes = generator(f"stall {stall}"), parameters()["beat_bytes"]
    beats, listed = StreamSource(dut, "i", stall=stall), StreamSource(dut, "rows", LISTED_ROW, stall=stall)
    dut.start.value = dut.room.value = 0
    await start(dut)
    for n, (vocab, count, is_listed) in enumerate(parameters()["commands"]):
        assert dut.done.value
        dut.vocab.value, dut.count.value, dut.listed.value = vocab, count, is_listed
        row_beats, block_rows = -(-count // beat_bytes), beat_bytes // 4
        tags, streamed, real = [], [], set()  # beats, and which of them belong to rows
        ids = [random.getrandbits(24) if is_listed else row for row in range(vocab)]
        for row in range(vocab if is_listed else -(-vocab // block_rows) * block_rows):
            place = random.randrange(block_rows) if is_listed else row % block_rows
            if is_listed or not place:
                scales = [random.getrandbits(32) for _ in range(block_rows)]
                streamed.append(sum(scale << 32 * at for at, scale in enumerate(scales)))
            if is_listed:
                listed.send_nowait({"id": ids[row], "place": place})
            if row < vocab:
                tags.append({"id": ids[row], "scale": scales[place], "final": int(row == vocab - 1)})
                real |= set(range(len(streamed), len(streamed) + row_beats))
            streamed += [random.getrandbits(8 * beat_bytes) for _ in range(row_beats)]
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        beats.send_nowait(*streamed)
        taken = of_row = cycles = 0
        room = True
        while taken < len(streamed):
            room = random.random() >= stall
            dut.room.value = room
            await RisingEdge(dut.clk)
            cycles += 1
            assert cycles < 20 * len(streamed) + 200, f"command {n}: beat {taken} is not taken"
            goes = bool(dut.i__valid.value and dut.i__ready.value)
            assert bool(dut.take.value) == (goes and taken in real), f"command {n}, beat {taken}"
            row = ROW.unpack(int(dut.row.value))
            if not dut.take.value:
                assert not row["valid"]
            else:
                assert int(dut.i__payload.value) == streamed[taken]
                got = int(dut.first.value), int(dut.last.value), int(dut.word.value)
                expected = int(of_row == 0), int(of_row == row_beats - 1), of_row
                assert got == expected, f"command {n}, beat {taken}: {got}, not {expected}"
                assert room or of_row, f"command {n}: a row begins without room"
                assert row["valid"] == expected[1]
                if row["valid"]:
                    wanted = tags.pop(0)
                    assert row["tag"] == wanted, f"command {n}: {row['tag']}, not {wanted}"
                of_row = (of_row + 1) % row_beats
            taken += goes
        if not stall and not is_listed:
            assert cycles <= len(streamed) + 3, f"command {n}: {cycles} cycles"
        for _ in range(4):
            await RisingEdge(dut.clk)
            assert dut.done.value and not dut.i__ready.value
