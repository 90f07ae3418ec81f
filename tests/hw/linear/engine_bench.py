"""The linear engine runs matrices one after another; both readers read each result while the next one runs.

Parameters: ``build``; ``matrices``: {``q`` [rows][inputs] of whole batches, ``trits`` [outputs][inputs],
``accumulator``, ``first_row``, ``invalid``: positions of stream bytes that become 255, ``kept``: its sums must also be
there at the end}; ``interleaved``: activations of all rows word by word, else row by row; ``stall``: the probability
of a stall on every stream; ``late``: cycles between a command and the first offer of its beats, or null to offer the
beats of all matrices from the start; ``cycles``: the most that each command may take, or null.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.command import COMMAND_BITS
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, sum_word
from models.golden.ternary_matmul import ternary_matmul
from models.machine.build import TRITS_PER_BYTE, BuildParameters
from models.machine.descriptor import Opcode, pack
from models.machine.layout import tile_count, weight_beats, weight_beats_used, weight_stream
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start
from tests.hw.linear.activations import activation_words

INVALID_BYTE = 255


def without(trits: np.ndarray, invalid: list[int], build: BuildParameters) -> np.ndarray:
    """The matrix with zeros in place of the trits of these bytes of its stream."""
    outputs, inputs = trits.shape
    tiles, n = tile_count(inputs, build), build.padded_outputs(outputs)
    kept = np.ones(tiles * n * build.tile_inputs, np.int8).reshape(-1, TRITS_PER_BYTE)
    kept[[position for position in invalid if position < len(kept)]] = 0
    by_output = kept.reshape(tiles, n, build.tile_inputs).transpose(1, 0, 2).reshape(n, -1)
    return trits * by_output[:outputs, :inputs]


class Matrix:
    """One command: its stream, its activations and what it must leave in the accumulators."""

    def __init__(self, given: dict, build: BuildParameters):
        self.q, trits = np.array(given["q"]), np.array(given["trits"], np.int8)
        self.base, self.outputs, self.kept = given["accumulator"], len(trits), given.get("kept", False)
        self.first_row = given.get("first_row", 0)
        outputs, inputs = trits.shape
        stream = weight_stream(trits, build)
        stream[given["invalid"]] = INVALID_BYTE
        beats = [int.from_bytes(beat.tobytes(), "little") for beat in stream.reshape(-1, build.beat_bytes)]
        assert len(beats) == weight_beats(outputs, inputs, build)
        tiles, batches = tile_count(inputs, build), len(self.q) // build.rows
        used = weight_beats_used(outputs, inputs, build)
        self.beats = beats[:used]
        self.invalid = sum(position < used * build.beat_bytes for position in given["invalid"])
        self.sums = ternary_matmul(self.q, without(trits, given["invalid"], build))
        self.command = int.from_bytes(pack(
            Opcode.MATMUL, tiles=tiles, outputs=build.padded_outputs(outputs), accumulator=self.base,
            first_row=self.first_row, rows=len(self.q), batches=batches,
            padding=build.padded_outputs(outputs) - outputs, grouped=0, group_shift=0), "little")

    def elements(self, lanes: int, interleaved: bool) -> list[dict]:
        """The activations in the order of their transfer, zeros behind the last."""
        return [{**word, "row": self.first_row + word["row"]} for word in activation_words(self.q, lanes, interleaved)]


class Monitor:
    """Counts, edge by edge: cycles, weight beats, invalid bytes."""

    def __init__(self, dut):
        self._dut = dut
        self.cycle = self.beats = self.invalid = 0
        cocotb.start_soon(self._count())

    async def _count(self):
        while True:
            await RisingEdge(self._dut.clk)
            self.cycle += 1
            self.beats += int(self._dut.i_weights__valid.value and self._dut.i_weights__ready.value)
            self.invalid += int(self._dut.invalid_bytes.value)


@cocotb.test()
async def computes_and_reads(dut):
    given = parameters()
    build = BuildParameters(**given["build"])
    matrices = [Matrix(matrix, build) for matrix in given["matrices"]]
    stall = given["stall"]
    command = StreamSource(dut, "command", COMMAND_BITS)
    weights = StreamSource(dut, "i_weights", stall=stall)
    activations = StreamSource(dut, "i_activations", activation_layout(8, build.lanes), stall=stall)
    readers = [(StreamSource(dut, f"read_{name}", READ_REQUEST, stall=stall),
                StreamSink(dut, f"sums_{name}", sum_word(build.lanes), stall=stall)) for name in "ab"]
    await start(dut)
    monitor = Monitor(dut)

    if given["late"] is None:
        for matrix in matrices:
            weights.send_nowait(*matrix.beats)

    async def read(reader: int, matrix: Matrix):
        requests, sums = readers[reader]
        # the second reader goes through the rows backwards
        for row in range(len(matrix.q))[::-1 if reader else 1]:
            await requests.send([{"accumulator": matrix.base, "count": matrix.outputs,
                                  "row": matrix.first_row + row}])
            words = await sums.receive_packet()
            values = [value for word in words for value in word["values"]]
            assert len(words) == -(-matrix.outputs // build.lanes)
            assert values[:matrix.outputs] == list(matrix.sums[row])

    reading = []
    invalid = 0
    for matrix in matrices:
        await activations.send(matrix.elements(build.lanes, given["interleaved"]))
        await command.send([matrix.command])
        began = monitor.cycle
        if given["late"] is not None:
            await ClockCycles(dut.clk, given["late"])
            weights.send_nowait(*matrix.beats)
        while not dut.retired.value:
            await RisingEdge(dut.clk)
        took = monitor.cycle - began
        dut._log.info(f"{len(matrix.beats)} beats, {took} cycles")
        if given["cycles"]:
            assert took <= given["cycles"], f"{took} cycles"
        for task in reading:
            await task
        reading = [cocotb.start_soon(read(n, matrix)) for n in range(2)]
        invalid += matrix.invalid
        await RisingEdge(dut.clk)
    for task in reading:
        await task
    for matrix in matrices:
        if matrix.kept:
            await read(0, matrix)
    assert monitor.invalid == invalid, "invalid bytes"
    assert monitor.beats == sum(len(matrix.beats) for matrix in matrices), "beats taken"
