"""VectorEngine over the commands of one layer, each against the golden functions it promises.

Everything around the engine is played here: sums and attention results answer its requests, sinks take its
results, and the write port answers late.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.arith.scalar import SCALAR
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.command import POSITIONS
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, SUM_WORD
from hw.memory.shapes import LIST_PLACE, LOAD_WORD, WRITE_BEAT
from models.golden.gated import gated_product
from models.golden.head_quant import head_quant
from models.golden.norm_quant import ABSMAX_FLOOR, NormConstants, norm_constants, norm_quant
from models.golden.residual import residual_add
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.scalar import Scalar, constant, from_word, mul, shift, to_word
from models.golden.tap import Tap
from models.machine.build import LANES
from models.machine.descriptor import Activation, LoadTarget, NormSource, Opcode, pack
from models.machine.registers import SEQUENCES
from models.machine.tables import rope_table
from sim.benches.memory.loads import load_words
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

TOKEN = 3  # of a sequence, rows before these in the pass
POSITIONS_OF, FRACTION_BITS, GAIN_EXPONENT, EPS = [37 + 5 * s for s in range(SEQUENCES)], 14, 13, 1e-5
KEYS, SCALES, HEAD_BYTES = 0x98_7654_3200, 0x12_3456_7800, 0x4000
PATIENCE = 1 << 20  # cycles in which nobody asks
FIRST_ID = 0xABCD01  # of the rows that SELECT sees
NO_TAP = {"tap": 0, "tap_add_exponent": 0, "tap_clip_exponent": 0, "tap_threshold_exponent": 0}


def _rows(scalar: Scalar, rows: int) -> Scalar:
    return Scalar(np.full(rows, scalar.m), np.full(rows, scalar.e))


class Surroundings:
    """The engine's neighbours, and what a layer of `given` sizes holds."""

    def __init__(self, dut, given: dict[str, Any]):
        self.dut, self.given, self.stall = dut, given, given["stall"]
        self.rng = np.random.default_rng(given["seed"])
        self.rows, self.kv_bits, self.outputs = given["rows"], given["kv_bits"], LANES
        self.sums = self.rng.integers(-(1 << 17), 1 << 17, (self.rows, given["accumulator_words"] * self.outputs))
        self.attention = np.zeros((self.rows, 0), np.int64)
        self.exponents = [0] * self.rows
        self.unit = _rows(constant(0), self.rows)
        self.counts = dict(saturations=0, zeros=0, activations=0)
        self.memory: dict[int, int] = {}
        self.commands = self._source("command")
        self.loads = self._source("i_load", LOAD_WORD)
        layouts = {"o_linear": activation_layout(8), "o_head": activation_layout(16), "o_query": QUERY,
                   "o_query_scale": QUERY_SCALE}
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
            cocotb.start_soon(self._answer_sums(self._sink(request, READ_REQUEST), self._source(answer, SUM_WORD)))
        cocotb.start_soon(self._answer_attention(
            self._sink("read_attention", OUTPUT_REQUEST), self._source("attention", OUTPUT_WORD)))
        await start(self.dut)
        cocotb.start_soon(self._count())
        cocotb.start_soon(self._answer_writes())

    async def _answer_sums(self, requests, sums) -> None:
        while True:
            request = await requests.receive()
            first, count = request["accumulator"] * self.outputs, -(-request["count"] // LANES) * LANES
            values = self.sums[request["row"], first:first + count]
            sums.send_nowait(*_words(values))

    async def _answer_attention(self, requests, results) -> None:
        while True:
            request = await requests.receive()
            assert request["group_channels"] == 24 and request["count"] == self.attention.shape[1]
            self.dut.attention_exponent.value = self.exponents[request["row"]]
            values = self.attention[request["row"]]
            results.send_nowait(*_words(values))

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            for name in self.counts:
                self.counts[name] += int(getattr(self.dut, name).value)

    async def _answer_writes(self) -> None:
        """Responses come 20 cycles after the last beat; until then the write port is not idle."""
        waiting = 0
        while True:
            await RisingEdge(self.dut.clk)
            waiting = 20 if self.dut.o_write__valid.value and self.dut.o_write__ready.value else max(waiting - 1, 0)
            self.dut.write_idle.value = waiting == 0

    async def load(self, target: LoadTarget, values: np.ndarray) -> None:
        await self.loads.send(load_words(target, 0, values.tobytes()))

    async def load_tap(self, tap: Tap) -> None:
        fields = (tap.gain, tap.add, tap.clip, tap.threshold)
        await self.load(LoadTarget.TAP, np.stack([field.astype("<u2") for field in fields], axis=-1))

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
        values = self.results[name].receive_nowait()
        for other, sink in self.results.items():
            assert other == name or not sink.receive_nowait(), f"{other} gave something"
        return values

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
            unclamped, _ = norm_quant(x, _rows(constant(1), self.rows), gains, NormConstants(constant(2.0**100), None),
                                      levels=levels)
            floor = constant(ABSMAX_FLOOR / levels)
            sent = [[a, b] if self.unit[n] == floor else [b] for n, (a, b) in enumerate(zip(unclamped, q, strict=True))]
        expected = [{"row": row if levels > 127 else first + row, "index": n, "values": values[n:n + LANES].tolist()}
                    for first, rows in self.parts() for row in range(rows) for values in sent[first + row]
                    for n in range(0, x.shape[1], LANES)]
        _equal(self.taken("o_head" if levels > 127 else "o_linear"), expected)
        unit = Packing.of(SCALAR)
        for row in range(self.rows):
            held = unit.unpack(int(self.dut.unit.value) >> row * unit.width & (1 << unit.width) - 1)
            assert held == {"m": self.unit.m[row], "e": self.unit.e[row]}, f"unit of row {row}: {held}"
        activations = 0 if levels > 127 else q.size
        zeros = 0 if levels > 127 else int(np.count_nonzero(q == 0))
        assert self.counts["activations"] - before["activations"] == activations
        assert self.counts["zeros"] - before["zeros"] == zeros

    def slice(self, accumulator: int, count: int) -> np.ndarray:
        """The sums [rows, count] from an accumulator word on."""
        return self.sums[:, accumulator * self.outputs:accumulator * self.outputs + count]

    async def residual(self, h: np.ndarray, accumulator: int, scale: int, tap: Tap | None) -> np.ndarray:
        """RESIDUAL onto h; returns the golden new h, which the next NORM proves."""
        before = self.counts["saturations"]
        new, saturated = residual_add(h, self.slice(accumulator, h.shape[1]), mul(self.unit, from_word(scale)),
                                      FRACTION_BITS, tap)
        await self.run_rows(Opcode.RESIDUAL, count=h.shape[1], fraction_bits=FRACTION_BITS, scale=scale,
                       accumulator=accumulator, **_tap_fields(tap))
        self.taken("o_linear")
        assert self.counts["saturations"] - before == saturated
        return new


def _tap_fields(tap: Tap | None) -> dict[str, int]:
    if tap is None:
        return NO_TAP
    return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
            "tap_threshold_exponent": tap.threshold_exponent}


def _words(values: np.ndarray) -> list[dict[str, Any]]:
    return [{"values": values[n:n + LANES], "last": n + LANES == values.size} for n in range(0, values.size, LANES)]


def _equal(got: list, expected: list) -> None:
    for n, (a, b) in enumerate(zip(got, expected, strict=False)):
        assert a == b, f"element {n} is {a}, not {b}"
    assert len(got) == len(expected), f"{len(got)} elements, not {len(expected)}"


def _random_tap(rng: np.random.Generator, dim: int, unit_exponent: int) -> Tap:
    """Fields that matter for values about 2**unit_exponent."""
    return Tap(gain=rng.integers(2000, 16000, dim).astype(np.int16),
               add=rng.integers(-9999, 9999, dim).astype(np.int16),
               clip=np.where(rng.random(dim) < 0.4, 0xFFFF, rng.integers(9999, 65535, dim)).astype(np.uint16),
               threshold=rng.integers(0, 20000, dim).astype(np.uint16), add_exponent=unit_exponent - 14,
               clip_exponent=unit_exponent - 14, threshold_exponent=unit_exponent - 16)


@cocotb.test()
async def norms(dut):
    """NORM from each source, with and without gains, tap and clamp, to the linear engine and to the head."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows = bench.rng, bench.rows
    await bench.begin()
    dim, wide = given["hidden"], given["ffn"]
    h = rng.integers(-(1 << 20), 1 << 20, (rows, dim))
    h[-1, 3] = 1 << 30
    gains = rng.integers(1000, 20000, wide).astype(np.int16)
    tap = _random_tap(rng, wide, 0)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.GAIN, gains.astype("<i2"))
    await bench.load_tap(tap)
    narrow = Tap(**{**vars(tap), **{f: getattr(tap, f)[:dim] for f in ("gain", "add", "clip", "threshold")}})
    residual = _rows(constant(2.0**-FRACTION_BITS), rows)
    unit = {"unit_exponent": -FRACTION_BITS}
    await bench.norm(NormSource.RESIDUAL, h, residual, gains=gains[:dim], levels=32767, **unit)
    await bench.norm(NormSource.RESIDUAL, h, residual, gains=gains[:dim], tap=narrow, **unit)
    await bench.norm(NormSource.RESIDUAL, h, residual, **unit)
    await bench.norm(NormSource.RESIDUAL, h, _rows(constant(2.0**-50), rows), gains=gains[:dim], unit_exponent=-50)

    bench.attention = rng.integers(-(1 << 24), 1 << 24, (rows, dim))
    bench.exponents = [int(e) for e in rng.integers(-40, -20, rows)]
    scale = shift(_rows(constant(1), rows), np.array(bench.exponents))
    await bench.norm(NormSource.ATTENTION, bench.attention, scale, gains=gains[:dim], group_channels=24)
    await bench.norm(NormSource.ATTENTION, bench.attention, scale, tap=narrow, group_channels=24)

    for name, activation in (("relu2", Activation.RELU2), ("silu", Activation.SILU)):
        words = {"gate_scale": int(to_word(constant(2.3e-2))), "up_scale": int(to_word(constant(4.1e-3)))}
        gate, up = bench.slice(3, wide), bench.slice(70, wide)
        product, scale = gated_product(gate, mul(bench.unit, from_word(words["gate_scale"])), up,
                                       mul(bench.unit, from_word(words["up_scale"])), name)
        await bench.norm(NormSource.GATED, product, scale, gains=gains if name == "silu" else None,
                         tap=tap if name == "relu2" else None, activation=activation, gate_accumulator=3,
                         up_accumulator=70, **words)


@cocotb.test()
async def heads(dut):
    """QUERY, KEY and VALUE after a NORM, and the bytes they leave in the cache. The last row is another sequence's."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, kv_bits = bench.rng, bench.rows, bench.kv_bits
    await bench.begin()
    dim, count, kv_heads = given["dim"], given["heads"], given["kv_heads"]
    h = rng.integers(-(1 << 20), 1 << 20, (rows, given["hidden"]))
    parts = [(sequence, part) for sequence, part in ((5, range(rows - 1)), (2, range(rows - 1, rows))) if part]
    tokens = [POSITIONS_OF[sequence] + TOKEN + r for sequence, part in parts for r in range(len(part))]  # of each row
    angles = rope_table(10000.0, dim, max(tokens) + 1)[tokens]
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.ROPE, angles.astype("<i2"))
    await bench.norm(NormSource.RESIDUAL, h, _rows(constant(2.0**-FRACTION_BITS), rows), unit_exponent=-FRACTION_BITS)

    word = int(to_word(constant(3.3e-2)))
    unit = mul(bench.unit, from_word(word))
    sums = bench.slice(5, count * dim).reshape(rows, count, dim)
    q, steps = head_quant(rope(sums, angles), shift(unit, -ROPE_FRACTION), 16)
    await bench.run_rows(Opcode.QUERY, heads=count, dim=dim, accumulator=5, scale=word)
    scales = bench.results["o_query_scale"].receive_nowait()
    _equal(bench.taken("o_query"), [
        {"row": row, "head": head, "index": n, "values": q[row, head, n:n + LANES].tolist()}
        for row in range(rows) for head in range(count) for n in range(0, dim, LANES)])
    _equal(scales, [{"row": row, "head": head, "scale": {"m": steps.m[row, head], "e": steps.e[row, head]}}
                    for row in range(rows) for head in range(count)])

    row_bytes = -(-dim * kv_bits // 128) * 16
    for opcode, accumulator in ((Opcode.KEY, 40), (Opcode.VALUE, 61)):
        x, scale = bench.slice(accumulator, kv_heads * dim).reshape(rows, kv_heads, dim), unit
        if opcode == Opcode.KEY:
            x, scale = rope(x, angles), shift(unit, -ROPE_FRACTION)
        q, steps = head_quant(x, scale, kv_bits)
        expected = {}
        for row, head in np.ndindex(rows, kv_heads):
            for base, stride, content in (  # one port: chunks of 16 bytes and no striping
                    (KEYS, row_bytes, q[row, head].astype(f"<i{kv_bits // 8}").tobytes()),
                    (SCALES, 4, int(to_word(steps[row, head])).to_bytes(4, "little"))):
                address = base + tokens[row] * stride + head * HEAD_BYTES
                expected.update({address + n: byte for n, byte in enumerate(content)})
        bench.memory.clear()
        for sequence, part in parts:
            await bench.run(
                opcode, heads=kv_heads, dim=dim, accumulator=accumulator, scale=word, address=KEYS,
                address_stride=row_bytes, block_bytes=16 * row_bytes, region_bytes=16, scale_address=SCALES,
                scale_block_bytes=64, head_bytes=HEAD_BYTES, sequence=sequence, token=TOKEN, first_row=part.start,
                rows=len(part))
        bench.taken("o_linear")
        assert bench.memory == expected, f"{opcode.name}: the cache differs"


@cocotb.test()
async def residuals(dut):
    """RESIDUAL twice, without and with a tap, with channels that saturate; a NORM after each shows the memory."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, dim = bench.rng, bench.rows, given["hidden"]
    await bench.begin()
    limit = (1 << 31) - 1
    h = rng.integers(-(1 << 22), 1 << 22, (rows, dim))
    h[:, 2], h[:, 5] = limit, -limit
    bench.slice(4, dim)[:, [2, 5]] = (1 << 20, -(1 << 20))
    tap = _random_tap(rng, dim, 4)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load_tap(tap)
    unit = _rows(constant(2.0**-FRACTION_BITS), rows)
    await bench.norm(NormSource.RESIDUAL, h, unit, levels=32767, unit_exponent=-FRACTION_BITS)
    word = int(to_word(constant(5.1e-3)))
    for accumulator, steering in ((4, None), (9, tap), (4, None)):
        h = await bench.residual(h, accumulator, word, steering)
        await bench.norm(NormSource.RESIDUAL, h, unit, levels=32767, unit_exponent=-FRACTION_BITS)
    assert bench.counts["saturations"] > 0


class Shortlists:
    """SELECT of rows first_row .. of the engine, in pieces of at most `piece` ids, and what it must leave."""

    def __init__(self, bench: Surroundings, first_row: int, rows: int):
        self.bench, self.rows = bench, range(first_row, first_row + rows)

    async def choose(self, scores: np.ndarray, gains: np.ndarray, k: int, *, piece: int) -> list[int]:
        """Of sums [rows, ids] and gains [ids]; checks the lists and returns the cycles of each command."""
        bench, cycles = self.bench, []
        for first in range(0, gains.size, piece):
            part = slice(first, first + piece)
            accumulator, count = int(bench.rng.integers(0, 90)), gains[part].size
            bench.slice(accumulator, piece + LANES)[self.rows] = (1 << 23) - 1  # beyond the count: the largest of all
            bench.slice(accumulator, count)[self.rows] = scores[:, part]
            filled = np.full(-(-count // LANES) * LANES, 32767, "<i2")
            filled[:count] = gains[part]
            await bench.load(LoadTarget.GAIN, filled)
            cycles.append(await bench.run(
                Opcode.SELECT, first_row=self.rows.start, rows=len(self.rows), count=count, accumulator=accumulator,
                first_id=FIRST_ID + first, k=k, begin=first == 0))
        await self.check(scores * gains.astype(np.int64), k)
        return cycles

    async def check(self, scores: np.ndarray, k: int) -> None:
        """The lists of all rows: larger scores first, lower ids first among equals."""
        for row, of_row in zip(self.rows, scores, strict=True):
            best = np.lexsort((np.arange(of_row.size), -of_row))[:k]
            self.bench.places.send_nowait(*({"row": row, "index": n} for n in range(k)))
            listed = await self.bench.ids.receive(k)
            assert listed == (FIRST_ID + best).tolist(), f"row {row}"


@cocotb.test()
async def selects(dut):
    """SELECT by itself and in pieces: ties, scores that rise, fall, are equal, extreme; lists left alone meanwhile."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, most = bench.rng, bench.rows, given["ffn"]
    await bench.begin()
    shortlists = Shortlists(bench, 0, rows)
    ones, rising = np.ones(most, np.int16), np.arange(most)

    def all_rows(sums: np.ndarray) -> np.ndarray:
        return np.stack([np.roll(sums, row) for row in range(rows)])

    for k, sums, gains in (
            (5, rng.integers(-3, 4, most), ones), (16, np.zeros(most, int), ones), (64, rising, ones),
            (7, rising, -ones), (1, rng.integers(-9, 9, most), ones), (2, -rising - 5, ones),
            (64, rng.integers(-(1 << 23), 1 << 23, most), rng.integers(-32768, 32768, most)),
            (4, np.where(rising % 3, -(1 << 23), (1 << 23) - 1), np.where(rising % 2, 32767, -32768)),
            (64, np.full(most, -(1 << 23)), 32767 * ones), (64, np.full(most, -(1 << 23)), -32768 * ones)):
        await shortlists.choose(all_rows(sums), gains.astype(np.int16), k, piece=most)
    for count in range(1, 10):
        await shortlists.choose(rng.integers(-9, 9, (rows, count)), ones[:count], count, piece=most)

    # pieces: as many ids as there are in all, ties across them
    for ids, k, piece in ((8 * most, 64, most), (100, 9, 13), (64, 64, 1)):
        sums, gains = rng.integers(-(1 << 17), 1 << 17, (rows, ids)), rng.integers(-9000, 9000, ids)
        sums[:, rng.random(ids) < 0.5] = 1 << 16
        gains[rng.random(ids) < 0.7] = 8000
        await shortlists.choose(sums, gains.astype(np.int16), k, piece=piece)
    if rows > 1:  # a row chosen from alone, amid the others' lists
        scores = rng.integers(-99, 99, (rows, most))
        await shortlists.choose(scores, ones, 20, piece=most)
        await Shortlists(bench, 1, 1).choose(rng.integers(-99, 99, (1, most)), ones, 12, piece=50)
        for row in {*range(rows)} - {1}:
            await Shortlists(bench, row, 1).check(scores[row:row + 1], 20)

    if not bench.stall:  # a word a cycle where none enters, and a norm after it finds its gains
        falling = np.broadcast_to(-np.arange(2 * most), (rows, 2 * most))
        cycles = await shortlists.choose(falling, np.ones(2 * most, np.int16), 64, piece=most)
        assert cycles[1] <= rows * (most / LANES + 16), cycles
        cycles = await shortlists.choose(-falling[:, :64], np.ones(64, np.int16), 64, piece=64)
        assert cycles[0] <= rows * (64 * (5 + 64) + 64 + 4 * 16), cycles
    dim = given["hidden"]
    h, gains = rng.integers(-(1 << 20), 1 << 20, (rows, dim)), rng.integers(1000, 20000, dim).astype(np.int16)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.GAIN, gains.astype("<i2"))
    await bench.norm(NormSource.RESIDUAL, h, _rows(constant(2.0**-FRACTION_BITS), rows), gains=gains,
                     unit_exponent=-FRACTION_BITS)
