"""The vector engine's neighbours, played: sums and attention results, sinks, a write port that answers late."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.arith.scalar import SCALAR
from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.attention.query_memory import QUERY_SCALE, query_part
from hw.command import POSITIONS
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, sum_word
from hw.memory.shapes import LIST_PLACE, LOAD_WORD, WRITE_BEAT
from models.golden.closed_loop import ClosedLoop
from models.golden.norm_quant import ABSMAX_FLOOR, NormConstants, norm_constants, norm_quant
from models.golden.residual import residual_add
from models.golden.scalar import Scalar, constant, from_word, mul, to_word
from models.golden.tap import Tap
from models.machine.build import CHANNEL_UNIT
from models.machine.descriptor import LoadTarget, Loop, NormSource, Opcode, pack
from models.machine.registers import SEQUENCES
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import start
from tests.hw.memory.loads import load_words

__all__ = ["FRACTION_BITS", "LOADED_ROW", "POSITIONS_OF", "Surroundings", "check_equal", "random_tap", "rows_of"]

POSITIONS_OF, FRACTION_BITS, GAIN_EXPONENT, EPS = [37 + 5 * s for s in range(SEQUENCES)], 14, 13, 1e-5
PATIENCE = 1 << 20  # cycles in which nobody asks
LOADED_ROW = 200  # from here on rows of inputs are not those of commands
NO_TAP = {"tap": 0, "tap_add_exponent": 0, "tap_clip_exponent": 0, "tap_threshold_exponent": 0}


def rows_of(scalar: Scalar, rows: int) -> Scalar:
    return Scalar(np.full(rows, scalar.m), np.full(rows, scalar.e))


class Surroundings:
    """The engine's neighbours, and what a layer of `given` sizes holds."""

    def __init__(self, dut, given: dict[str, Any]):
        self.dut, self.given, self.stall = dut, given, given["stall"]
        self.rng = np.random.default_rng(given["seed"])
        self.rows, self.kv_bits, self.outputs = given["rows"], given["kv_bits"], CHANNEL_UNIT
        self.lanes = given["lanes"]
        self.sums = self.rng.integers(-(1 << 17), 1 << 17, (self.rows, given["accumulator_words"] * self.outputs))
        self.attention = np.zeros((self.rows, 0), np.int64)
        self.exponents = [0] * self.rows
        self.unit = rows_of(constant(0), self.rows)
        self.counts = dict(saturations=0, zeros=0, activations=0)
        self.memory: dict[int, int] = {}
        self.loaded: dict[str, list[dict[str, Any]]] = {"o_linear": [], "o_head": []}  # words from LOADED_ROW on
        self.commands = self._source("command")
        self.loads = self._source("i_load", LOAD_WORD)
        layouts = {"o_linear": activation_layout(8, self.lanes), "o_head": activation_layout(16, self.lanes),
                   "o_query": query_part(self.lanes), "o_query_scale": QUERY_SCALE}
        self.results = {name: StreamSink(dut, name, layout, always_ready=True) for name, layout in layouts.items()}
        self.writes = self._sink("o_write", WRITE_BEAT)
        self.places, self.ids = self._source("read_list", LIST_PLACE), self._sink("listed", None)

    def _source(self, name, layout=None):
        return StreamSource(self.dut, name, layout, stall=self.stall)

    def _sink(self, name, layout):
        return StreamSink(self.dut, name, layout, stall=self.stall, patience=PATIENCE)

    async def begin(self) -> None:
        self.dut.positions.value = Packing.of(POSITIONS).pack(POSITIONS_OF)
        self.dut.write_idle.value = 1
        self.dut.attention_exponent.value = 0
        for request, answer in (("read_a", "sums_a"), ("read_b", "sums_b")):
            cocotb.start_soon(self._answer_sums(
                self._sink(request, READ_REQUEST), self._source(answer, sum_word(self.lanes))))
        cocotb.start_soon(self._answer_attention(
            self._sink("read_attention", OUTPUT_REQUEST), self._source("attention", output_word(self.lanes))))
        await start(self.dut)
        cocotb.start_soon(self._count())
        cocotb.start_soon(self._answer_writes())

    async def _answer_sums(self, requests, sums) -> None:
        while True:
            request = await requests.receive()
            first, count = request["accumulator"] * self.outputs, -(-request["count"] // self.lanes) * self.lanes
            values = self.sums[request["row"], first:first + count]
            sums.send_nowait(*_words(values, self.lanes))

    async def _answer_attention(self, requests, results) -> None:
        while True:
            request = await requests.receive()
            assert request["group_channels"] == 24 and request["count"] == self.attention.shape[1]
            self.dut.attention_exponent.value = self.exponents[request["row"]]
            values = self.attention[request["row"]]
            results.send_nowait(*_words(values, self.lanes))

    async def _count(self) -> None:
        edge, signals = RisingEdge(self.dut.clk), {name: getattr(self.dut, name) for name in self.counts}
        while True:
            await edge
            for name, signal in signals.items():
                self.counts[name] += int(signal.value)

    async def _answer_writes(self) -> None:
        """Responses come 20 cycles after the last beat; until then the write port is not idle."""
        edge, idle, waiting = RisingEdge(self.dut.clk), self.dut.write_idle, 0
        valid, ready = self.dut.o_write__valid, self.dut.o_write__ready
        while True:
            await edge
            before, waiting = waiting, 20 if valid.value and ready.value else max(waiting - 1, 0)
            if (waiting == 0) != (before == 0):
                idle.value = waiting == 0

    async def load(self, target: LoadTarget, values: np.ndarray, row: int = 0) -> None:
        await self.loads.send(load_words(target, 0, values.tobytes(), row))

    async def load_tap(self, tap: Tap) -> None:
        fields = (tap.gain, tap.add) if tap.affine else (tap.gain, tap.add, tap.clip, tap.threshold)
        await self.load(LoadTarget.AFFINE if tap.affine else LoadTarget.TAP,
                        np.stack([field.astype("<u2") for field in fields], axis=-1))

    def parts(self) -> list[tuple[int, int]]:
        """The rows in one command or, if there are several, in two: first row and rows."""
        return [(0, self.rows)] if self.rows == 1 else [(0, self.rows - 1), (self.rows - 1, 1)]

    async def run_rows(self, opcode: Opcode, **fields) -> None:
        """All rows, by their parts."""
        for first_row, rows in self.parts():
            await self.run(opcode, first_row=first_row, rows=rows, **fields)

    async def run(self, opcode: Opcode, **fields) -> int:
        """One command, until it retires, and its cycles."""
        self.commands.send_nowait(int.from_bytes(pack(opcode, **fields), "little"))
        waited = 0
        while not self.dut.retired.value:
            await RisingEdge(self.dut.clk)
            waited += 1
            assert waited < 50_000, f"{opcode.name} does not retire"
        self.dut._log.info("%s: %d cycles, %s", opcode.name, waited, fields)
        assert self.dut.write_idle.value, f"{opcode.name} retired before its writes were answered"
        await RisingEdge(self.dut.clk)
        address = left = 0
        for beat in self.writes.receive_nowait():
            address = address + 16 if left else beat["address"]
            left = beat["left"]
            for byte in range(16):
                if beat["strobe"] >> byte & 1:
                    self.memory[address + byte] = beat["data"] >> 8 * byte & 255
        assert not left, "a burst lacks beats"
        return waited

    def taken(self, name: str) -> list[Any]:
        """All that came out of one port, and nothing from the others."""
        found = {port: sink.receive_nowait() for port, sink in self.results.items()}
        for port, loaded in self.loaded.items():
            loaded += [word for word in found[port] if word["row"] >= LOADED_ROW]
            found[port] = [word for word in found[port] if word["row"] < LOADED_ROW]
        for other, values in found.items():
            assert other == name or not values, f"{other} gave something"
        return found[name]

    async def norm(self, source: NormSource, x: np.ndarray, scale: Scalar, *, gains=None, tap: Tap | None = None,
                   levels: int = 127, **fields) -> None:
        """NORM of x, which the engine finds at `source`, and its results."""
        constants = norm_constants(x.shape[1], GAIN_EXPONENT if gains is not None else 0,
                                   EPS if gains is not None else None)
        q, self.unit = norm_quant(x, scale, gains, constants, levels=levels, tap_parameters=tap)
        before = dict(self.counts)
        defaults = {"activation": 0, "unit_exponent": 0, "group_channels": 0, "gate_accumulator": 0,
                    "up_accumulator": 0, "gate_scale": 0, "up_scale": 0}
        await self.run_rows(
            Opcode.NORM, count=x.shape[1], source=source, rms=gains is not None, gained=gains is not None,
            levels16=levels > 127, gain=int(to_word(constants.gain)),
            eps_sum=int(to_word(constants.eps_sum)) if constants.eps_sum else 0,
            **_tap_fields(tap), **{**defaults, **fields})
        sent = [[row] for row in q]
        if tap is None:  # where the clamp acts, the row was quantised before that was known
            unclamped, _ = norm_quant(x, rows_of(constant(1), self.rows), gains,
                                      NormConstants(constant(2.0**100), None), levels=levels)
            floor = constant(ABSMAX_FLOOR / levels)
            sent = [[a, b] if self.unit[n] == floor else [b] for n, (a, b) in enumerate(zip(unclamped, q, strict=True))]
        lanes = self.lanes
        expected = [{"row": row if levels > 127 else first + row, "index": n, "values": values[n:n + lanes].tolist()}
                    for first, rows in self.parts() for row in range(rows) for values in sent[first + row]
                    for n in range(0, x.shape[1], lanes)]
        check_equal(self.taken("o_head" if levels > 127 else "o_linear"), expected)
        self.check_units()
        activations = 0 if levels > 127 else q.size
        zeros = 0 if levels > 127 else int(np.count_nonzero(q == 0))
        assert self.counts["activations"] - before["activations"] == activations
        assert self.counts["zeros"] - before["zeros"] == zeros

    def check_units(self) -> None:
        """The value of one unit of each row's input is what it should be."""
        unit = Packing.of(SCALAR)
        for row in range(self.rows):
            held = unit.unpack(int(self.dut.unit.value) >> row * unit.width & (1 << unit.width) - 1)
            assert held == {"m": self.unit.m[row], "e": self.unit.e[row]}, f"unit of row {row}: {held}"

    def slice(self, accumulator: int, count: int) -> np.ndarray:
        """The sums [rows, count] from an accumulator word on."""
        return self.sums[:, accumulator * self.outputs:accumulator * self.outputs + count]

    async def residual(self, h: np.ndarray, accumulator: int, scale: int, tap: Tap | None) -> np.ndarray:
        """RESIDUAL onto h; returns the golden new h, which the next NORM proves."""
        before = self.counts["saturations"]
        new, saturated = residual_add(h, self.slice(accumulator, h.shape[1]), mul(self.unit, from_word(scale)),
                                      FRACTION_BITS, tap)
        await self.run_rows(Opcode.RESIDUAL, count=h.shape[1], fraction_bits=FRACTION_BITS, scale=scale,
                       accumulator=accumulator, **_tap_fields(tap), **_loop_fields(tap))
        self.taken("o_linear")
        assert self.counts["saturations"] - before == saturated
        return new


def _tap_fields(tap: Tap | None) -> dict[str, int]:
    if tap is None:
        return NO_TAP
    return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
            "tap_threshold_exponent": tap.threshold_exponent}


def _loop_fields(tap: Tap | None) -> dict[str, int]:
    if isinstance(tap, ClosedLoop):
        return {"loop": tap.acts, "setpoint": tap.setpoint}
    return {"loop": Loop.NONE, "setpoint": 0}


def _words(values: np.ndarray, lanes: int) -> list[dict[str, Any]]:
    return [{"values": values[n:n + lanes], "last": n + lanes == values.size} for n in range(0, values.size, lanes)]


def check_equal(got: list, expected: list) -> None:
    for n, (a, b) in enumerate(zip(got, expected, strict=False)):
        assert a == b, f"element {n} is {a}, not {b}"
    assert len(got) == len(expected), f"{len(got)} elements, not {len(expected)}"


def random_tap(rng: np.random.Generator, dim: int, unit_exponent: int) -> Tap:
    """Fields that matter for values about 2**unit_exponent."""
    return Tap(gain=rng.integers(2000, 16000, dim).astype(np.int16),
               add=rng.integers(-9999, 9999, dim).astype(np.int16),
               clip=np.where(rng.random(dim) < 0.4, 0xFFFF, rng.integers(9999, 65535, dim)).astype(np.uint16),
               threshold=rng.integers(0, 20000, dim).astype(np.uint16), add_exponent=unit_exponent - 14,
               clip_exponent=unit_exponent - 14, threshold_exponent=unit_exponent - 16)
