"""Store writes rows as int32, byte for byte, their steps behind them, in bursts that keep to their 256 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.linear.reader import READ_REQUEST, sum_word
from hw.memory.shapes import LOAD_WORD, WRITE_BEAT
from hw.vector.store import STORE_SETTINGS, Store
from models.golden.scalar import Scalar, to_word
from models.machine.descriptor import LoadTarget
from models.machine.descriptor import StoreSource as Source
from sim.packing import Packing
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.vector.bursts import write_bursts
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import loads

LIMITS = {Source.RESIDUAL: (1 << 31) - 1, Source.ATTENTION: 1 << 24, Source.SUMS: (1 << 23) - 1}
EXPONENTS = [-34, 5, 0, -128, -129, -200, 127, 128, 300]  # those beyond a word's too
SHAPES = [(4, 3, 0xF0), (64, 2, 0x100), (68, 3, 0x1_0030), (200, 4, 0xFF_FFFF_FF40), (260, 1, 0x1230)]
"""Channels, rows, address."""

_PACKS = {name: Packing.of(layout) for name, layout in {
    "settings": STORE_SETTINGS, "o_attention": OUTPUT_REQUEST, "o_sums": READ_REQUEST,
    "i_load": LOAD_WORD, "o_write": WRITE_BEAT}.items()}


def _beats(address: int, values: np.ndarray) -> list[tuple[int, int, int]]:
    """Address, data and strobe of the beats of int32 values."""
    content = values.astype("<i4").tobytes()
    return [((address + n) % (1 << 40), int.from_bytes(content[n:n + 16], "little"), 0xFFFF)
            for n in range(0, len(content), 16)]


def _words(port: str, x: np.ndarray, lanes: int) -> list[int]:
    packing = Packing.of({"i_attention": output_word, "i_sums": sum_word}[port](lanes))
    return [packing.pack({"values": x[n:n + lanes], "last": n + lanes == x.size}) for n in range(0, x.size, lanes)]


class Case:
    """Commands after each other: what the unit is given for each row, and what it must write."""

    def __init__(self, rng: np.random.Generator, lanes: int = 4):
        self.rng, self.lanes, self.rows, self.writes = rng, lanes, [], []
        limit = LIMITS[Source.RESIDUAL]
        self.residual = rng.integers(-limit, limit + 1, 4 * 256) >> rng.integers(0, 31, 4 * 256)
        self.residual[:2] = limit, -limit

    def add(self, source: Source, count: int, rows: int, address: int) -> None:
        """A command of some rows from a random one on."""
        rng = self.rng
        steps, first_row = int(rng.integers(1 << 36)) << 4, int(rng.integers(9))
        fields = {"source": source, "count": count, "address": address, "steps": steps,
                  "accumulator": int(rng.integers(1 << 16)), "group_channels": int(rng.integers(1 << 16))}
        units = random_scalars(rng, rows, -160, 160)
        for r in range(rows):
            row, base = first_row + r, int(rng.integers((self.residual.size - count) // self.lanes + 1))
            exponent = EXPONENTS[int(rng.integers(len(EXPONENTS)))]
            x = rng.integers(-LIMITS[source], LIMITS[source] + 1, count)
            x[:2] = LIMITS[source], -LIMITS[source]
            if source == Source.RESIDUAL:
                x = self.residual[base * self.lanes:][:count]
            beats = _beats(address + r * count * 4, x)
            unit = Scalar(np.int64(1 << 23), np.int64(exponent)) if source == Source.ATTENTION else units[r]
            step = () if source == Source.RESIDUAL else ((steps + r * 16, int(to_word(unit)), 0xF),)
            self.writes += write_bursts(beats) + write_bursts(list(step))
            request = {"count": count, "row": row, "group_channels": fields["group_channels"],
                       "accumulator": fields["accumulator"]}
            port = {Source.RESIDUAL: "", Source.ATTENTION: "o_attention", Source.SUMS: "o_sums"}[source]
            names = ("count", "row", "group_channels" if source == Source.ATTENTION else "accumulator")
            self.rows.append({
                "port": port, "exponent": exponent & 1023, "beats": len(beats) + len(step),
                "transfers": count // self.lanes + len(step),
                "settings": _PACKS["settings"].pack(
                    {**fields, "row": row, "offset": r, "base": base, "unit": as_fields(units[r])}),
                "request": _PACKS[port].pack({name: request[name] for name in names}) if port else 0,
                "words": _words("i" + port[1:], x, self.lanes) if port else []})

    def packed(self, stall: float = 0.0, write_stall: float = 0.0) -> dict[str, Any]:
        """As the bench takes it."""
        pack = _PACKS["o_write"].pack
        return {
            "rows": self.rows, "stall": stall, "write_stall": write_stall,
            "i_load": [_PACKS["i_load"].pack(word) for word in loads(
                LoadTarget.RESIDUAL, self.residual.astype("<i4").tobytes())],
            "o_write": [pack(beat) for beat, _ in self.writes], "care": [pack(mask) for _, mask in self.writes]}


def _check(runs: dict[str, dict[str, Any]], lanes: int = 4) -> None:
    assert run_bench(WithSharedUnits(Store(lanes), lanes), "tests.hw.vector.store_bench", runs) == len(runs)


@pytest.mark.parametrize("lanes", [4, pytest.param(2, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)])
def test_rows(lanes):
    runs = {}
    for source in Source:
        case = Case(np.random.default_rng(int(source)), lanes)
        for shape in SHAPES:
            case.add(source, *shape)
        for name, stalls in {"free": (0.0, 0.0), "stalls": (0.3, 0.3), "slow_memory": (0.0, 0.85)}.items():
            runs[f"{source.name.lower()}_{name}"] = case.packed(*stalls)
    _check(runs, lanes)


def test_sources_in_turn():
    case = Case(np.random.default_rng(7))
    for n in range(12):
        case.add(Source(n % 3), 4 * int(case.rng.integers(1, 30)), int(case.rng.integers(1, 4)),
                 int(case.rng.integers(1 << 36)) << 4)
    _check({"in_turn": case.packed(0.2, 0.2)})


def test_every_exponent():
    case = Case(np.random.default_rng(8))
    for _ in range(20):
        case.add(Source.ATTENTION, 4, 3, 0x80)
    assert {row["exponent"] for row in case.rows} == {e & 1023 for e in EXPONENTS}
    _check({"exponents": case.packed()})
