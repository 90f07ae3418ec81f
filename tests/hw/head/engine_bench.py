"""The head engine runs LOGITS commands one after another; memory afterwards holds what the golden model says, no more.

Parameters: ``build``; ``commands``: {``q`` [rows][count], ``unit`` [[m, e], ...] by row, ``weights`` [vocab][count],
``scales``: memory words [vocab], ``k``, ``write_logits``, ``listed``: ids of the rows that come, in their
order, null for all}; ``stalls``: probabilities of a stall on every stream, one after
another; ``cycles``: the most that each command may take, or null. The beats of all commands are offered from the start.
"""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.arith.scalar import SCALAR
from hw.command import COMMAND_BITS
from hw.linear.activations import activation_layout
from hw.memory.shapes import LISTED_ROW, WRITE_BEAT
from models.golden.head import logits, top_k
from models.golden.scalar import Scalar, from_word
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode, pack
from models.machine.layout import head_beats_used, head_stream
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.linear.activations import activation_words

NO_ID, NO_LOGIT = (1 << 24) - 1, -(1 << 31)
LOGITS_BASE, TOP_BASE, SPACE = 0x12_3456_7890, 0x0A_BCDE_F000, 1 << 20  # of command n: base + n * SPACE


class Command:
    """One LOGITS: its stream, its activations and the bytes that it must write, by address."""

    def __init__(self, number: int, given: dict, build: BuildParameters):
        self.q, weights = np.array(given["q"]), np.array(given["weights"], np.int8)
        scales = np.array(given["scales"], np.uint32)
        vocab, count = weights.shape
        rows, k = len(self.q), given["k"]
        logits_base, top_base = LOGITS_BASE + number * SPACE, TOP_BASE + number * SPACE
        stream = head_stream(weights, scales, build)
        stream = stream.reshape(-1, build.beat_bytes)[:head_beats_used(vocab, count, build)]
        ids, block_rows, self.rows = np.arange(vocab), build.beat_bytes // 4, []
        if given["listed"] is not None:
            ids, row_beats = np.array(given["listed"]), -(-count // build.beat_bytes)
            blocks = stream.reshape(-1, 1 + block_rows * row_beats, build.beat_bytes)
            scale_beats, rows_beats = blocks[:, :1], blocks[:, 1:].reshape(-1, row_beats, build.beat_bytes)
            stream = np.concatenate([scale_beats[ids // block_rows], rows_beats[ids]], 1).reshape(-1, build.beat_bytes)
            self.rows = [{"id": id, "place": id % block_rows} for id in ids.tolist()]
        self.beats = [int.from_bytes(beat.tobytes(), "little") for beat in stream]
        first_row = number % (build.slots - rows + 1)
        self.unit = [[0, 0]] * first_row + given["unit"]
        self.command = int.from_bytes(pack(
            Opcode.LOGITS, vocab=len(ids), rows=rows, first_row=first_row, count=count, k=k,
            write_logits=given["write_logits"], listed=bool(self.rows), logits=logits_base, top=top_base,
            grouped=0), "little")

        unit = Scalar(*np.array(given["unit"], np.int64).T)
        values = logits(self.q, unit, weights, from_word(scales))
        self.memory: dict[int, int] = {}
        for row in range(rows):
            if given["write_logits"]:
                self._expect(logits_base + row * -(-vocab // 4) * 16, values[row].astype("<i4"))
            mine = np.sort(ids)
            found, best = top_k(values[row, mine], k)
            listed = np.full((k, 2), [NO_ID, NO_LOGIT])
            listed[:len(found)] = np.stack([mine[found], best], axis=1)
            self._expect(top_base + row * build.top_k * 8, listed.astype("<i4"))

    def _expect(self, address: int, values: np.ndarray) -> None:
        self.memory |= {address + n: byte for n, byte in enumerate(values.tobytes())}


class Monitor:
    """Edge by edge: cycles, weight beats; answers the writes after a while, which is when `write_idle` rises."""

    def __init__(self, dut, stall: float):
        self._dut, self._stall, self._random = dut, stall, generator("answers")
        self.cycle = self.beats = self.unanswered = 0
        dut.write_idle.value = 1
        self.rows = 0
        cocotb.start_soon(self._watch())

    async def _watch(self):
        dut = self._dut
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            self.beats += int(dut.i_weights__valid.value and dut.i_weights__ready.value)
            self.rows += int(dut.i_rows__valid.value and dut.i_rows__ready.value)
            if self.unanswered and self._random.random() >= max(self._stall, 0.5):
                self.unanswered -= 1
            self.unanswered += int(dut.o_write__valid.value and dut.o_write__ready.value)
            dut.write_idle.value = int(not self.unanswered)


@cocotb.test()
@cocotb.parametrize(stall=parameters()["stalls"])
async def writes_logits_and_lists(dut, stall):
    given = parameters()
    build = BuildParameters(**given["build"])
    commands = [Command(number, command, build) for number, command in enumerate(given["commands"])]
    command_source = StreamSource(dut, "command", COMMAND_BITS)
    weights = StreamSource(dut, "i_weights", stall=stall)
    rows = StreamSource(dut, "i_rows", LISTED_ROW, stall=stall)
    activations = StreamSource(dut, "i_activations", activation_layout(16, build.lanes), stall=stall)
    writes = StreamSink(dut, "o_write", WRITE_BEAT, stall=stall)
    scalar = Packing.of(SCALAR)
    dut.unit.value = 0
    monitor = Monitor(dut, stall)
    await start(dut)
    for command in commands:
        weights.send_nowait(*command.beats)
        rows.send_nowait(*command.rows)

    beats = listed = 0
    for command in commands:
        await activations.send(activation_words(command.q, build.lanes))
        units = [scalar.pack({"m": m, "e": e}) for m, e in command.unit]
        dut.unit.value = sum(unit << n * scalar.width for n, unit in enumerate(units))
        await command_source.send([command.command])
        began = monitor.cycle
        await RisingEdge(dut.clk)
        while not dut.retired.value:
            await RisingEdge(dut.clk)
        took = monitor.cycle - began
        dut._log.info(f"{len(command.beats)} beats, {took} cycles")
        if given["cycles"]:
            assert took <= given["cycles"], f"{took} cycles"
        assert monitor.unanswered == 0, "retired before the last answer"
        beats, listed = beats + len(command.beats), listed + len(command.rows)
        assert monitor.beats == beats and monitor.rows == listed, "beats and rows taken"
        memory = {}
        for beat in writes.receive_nowait():
            assert beat["address"] % 16 == 0
            for n in range(16):
                if beat["strobe"] >> n & 1:
                    assert beat["address"] + n not in memory, "written twice"
                    memory[beat["address"] + n] = beat["data"] >> 8 * n & 255
        assert memory == command.memory
    for _ in range(20):
        await RisingEdge(dut.clk)
    assert monitor.beats == beats, "beats taken while idle"
    assert writes.receive_nowait() == []
