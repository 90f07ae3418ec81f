"""Row gather: windows and pieces of a striped head stream, id by id, against the layouts.

Parameters: ``build``.
"""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb import start_soon
from cocotb.triggers import RisingEdge

from hw.command import COMMAND_BITS
from hw.memory.shapes import LIST_PLACE, LISTED_ROW
from hw.memory.stream_fetcher import STREAM_PIECE
from hw.memory.stream_router import STREAM_TAG
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode, pack
from models.machine.layout import head_beats, stripe
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


class Head:
    """A head's stream in memory: which of its beats are whose, and where its bursts lie."""

    def __init__(self, build: BuildParameters, address: int, vocab: int, row_beats: int):
        self.address, self.row_beats = address, row_beats
        self.beats = head_beats(vocab, row_beats * build.beat_bytes, build)
        self.windows: list[tuple[tuple[int, int], tuple[int, int]]] = []  # of each row: first beat and beats
        beat = 0
        self.block_rows = build.beat_bytes // 4
        for row in range(vocab):
            if row % self.block_rows == 0:
                scales, beat = beat, beat + 1
            self.windows.append(((scales, 1), (beat, row_beats)))
            beat += row_beats
        pieces = stripe(np.repeat(np.arange(self.beats * build.ports), 16), build)[::16]
        places = np.argsort(pieces).reshape(-1, 16, build.ports)[:, 0]
        self.bursts = address + 16 * places  # [burst, port]

    def command(self, listed: int, row: int) -> int:
        return int.from_bytes(pack(Opcode.STREAM, address=self.address, beats=self.beats, padding=0, head=1,
                                   listed=listed, row=row, row_beats=self.row_beats), "little")


class Surroundings:
    """List, fetcher and router: what they are told."""

    def __init__(self, dut, stall: float):
        self.dut, self.stall = dut, stall
        self.command = StreamSource(dut, "command", COMMAND_BITS, stall=stall)
        self.ids = StreamSource(dut, "ids", stall=stall)
        layouts = {"read": LIST_PLACE, "o_rows": LISTED_ROW, "tags": STREAM_TAG, "o": STREAM_PIECE}
        self.sinks = {name: StreamSink(dut, name, layout, stall=stall) for name, layout in layouts.items()}
        self.pieces: list[dict] = []
        self.lists: dict[int, list[int]] = {}
        self.retired = 0
        dut.begun.value = 0

    async def play(self) -> None:
        """The list answers at once; the fetcher begins with a piece some cycles after it has come."""
        random, busy = generator("fetcher"), 0
        while True:
            await RisingEdge(self.dut.clk)
            self.retired += int(self.dut.retired.value)
            for place in self.sinks["read"].receive_nowait():
                self.ids.send_nowait(self.lists[place["row"]][place["index"]])
            busy = max(busy - 1, 0)
            self.dut.begun.value = int(busy == 1)
            new = self.sinks["o"].receive_nowait()
            self.pieces += new
            if new:
                assert len(new) == 1 and not busy, "a piece before the fetcher began with the last one"
                busy = random.randrange(2, 8)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def windows_of_listed_rows(dut, stall):
    given = parameters()
    build = BuildParameters(**given["build"])
    random = generator("rows")
    around = Surroundings(dut, stall)
    await start(dut)
    start_soon(around.play())
    widest = -(-build.hidden_max // build.beat_bytes)
    retired = 0
    for vocab, row_beats in ((1, 1), (300, widest), (2500 // widest, widest), (1500, 1), (333, max(widest - 1, 1))):
        head = Head(build, random.randrange(1 << 30) * 256, vocab, row_beats)
        crossing = [row for row, (_, (beat, beats)) in enumerate(head.windows)
                    if beat // 1024 != (beat + beats - 1) // 1024]
        ids = [0, vocab - 1, *crossing, *(random.randrange(vocab) for _ in range(20))]
        for listed in (1, len(ids)):
            row = random.randrange(200)
            around.lists = {row: ids}
            around.pieces.clear()
            around.command.send_nowait(head.command(listed, row))
            retired += 1
            while around.retired < retired:
                await RisingEdge(dut.clk)
            assert len(around.lists[row]) >= listed
            rows, tags = await around.sinks["o_rows"].receive(listed), await around.sinks["tags"].receive(2 * listed)
            assert rows == [{"id": id, "place": id % head.block_rows} for id in ids[:listed]]
            windows = [window for id in ids[:listed] for window in head.windows[id]]
            bursts = []
            for (beat, beats), tag in zip(windows, tags, strict=True):
                mine = range(beat // 16, (beat + beats - 1) // 16 + 1)
                assert tag == {"skip": beat % 16, "used": beats, "head": 1,
                               "padding": 16 * len(mine) - beat % 16 - beats}
                bursts += mine
            for port in range(build.ports):
                asked = [256 * (piece["first"] + port * piece["spread"] + n)
                         for piece in around.pieces for n in range(piece["rest"])]
                assert asked == head.bursts[bursts, port].tolist(), f"port {port}"
            assert all(piece["groups"] == 0 for piece in around.pieces)
    for sink in around.sinks.values():
        assert not sink.receive_nowait()
