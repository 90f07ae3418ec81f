# amaranth: UnusedElaboratable=no
"""Row control: every command of the vector engine, rows of both runs and blocks, scales by the golden scalars."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from hw.boards.registry import BUILDS
from hw.vector.rope import ROPE_FRACTION
from hw.vector.row_control import RowControl
from models.golden.scalar import Scalar, constant, from_word, mul, shift
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import OPCODES, Activation, NormSource, Opcode, pack
from models.machine.kv_format import QUERY_FORMAT
from models.machine.registers import SEQUENCES
from models.machine.tables import SIGMOID_FRACTION
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars

BUILD = replace(BUILDS["sim-tiny"], name="four rows", rows=4, row_batches=2, accumulator_words=1024)
LANES = 4
POSITIONS = [12, 700, 0, 13, *range(SEQUENCES - 4)]
BEGINS = {Opcode.NORM: "start_norm", Opcode.STORE: "start_store"} | dict.fromkeys(
    (Opcode.QUERY, Opcode.KEY, Opcode.VALUE), "start_heads") | dict.fromkeys((Opcode.RESIDUAL, Opcode.SELECT), "ask")
HEADING = (Opcode.QUERY, Opcode.KEY, Opcode.VALUE)


class Story:
    """Commands one after another; `units` is what the rows' units are by then."""

    def __init__(self, rng: np.random.Generator):
        self.rng, self.commands = rng, []
        self.first_units = random_scalars(rng, BUILD.slots, -30, 10)
        self.units = [self.first_units[n] for n in range(BUILD.slots)]

    def _scales(self, opcode, fields, unit) -> dict[str, Scalar]:
        """The row's scales at its start."""
        def times(name):
            return mul(unit, from_word(np.int64(fields[name])))

        if opcode == Opcode.NORM and fields["source"] == NormSource.GATED:
            gate, up = times("gate_scale"), times("up_scale")
            silu = fields["activation"] == Activation.SILU
            product = shift(mul(gate, up), -SIGMOID_FRACTION) if silu else mul(mul(gate, gate), up)
            return {"gate_scale": gate, "scale": product}
        if opcode == Opcode.NORM:
            return {"scale": Scalar(np.int64(1 << 23), np.int64(fields["unit_exponent"]))}
        if opcode == Opcode.RESIDUAL:
            return {"scale": times("scale")}
        if opcode in HEADING:
            scale = times("scale") if opcode == Opcode.VALUE else shift(times("scale"), -ROPE_FRACTION)
            limit = QUERY_FORMAT.limit if opcode == Opcode.QUERY else BUILD.kv.limit
            return {"scale": scale, "step": mul(scale, constant(Fraction(1, limit)))}
        return {}

    def add(self, opcode: Opcode, **given):
        """A command with random fields but for those given, and what its rows must be."""
        rng = self.rng
        fields = {field.name: int(rng.integers(1 << min(field.width, 30))) for field in OPCODES[opcode].fields}
        fields |= {field.name: int(rng.integers(-99, 99)) for field in OPCODES[opcode].fields if field.signed
                   and field.width > 7} | {f.name: 0 for f in OPCODES[opcode].fields if f.signed and f.width <= 7}
        for name in ("scale", "gate_scale", "up_scale"):
            if name in fields:
                fields[name] = int(rng.integers(1 << 23, 1 << 24)) | int(rng.integers(-20, 5) & 255) << 24
        usual = {"rows": 1, "first_row": 0, "count": 24, "dim": 24, "heads": 3}
        fields |= {name: value for name, value in usual.items() if name in fields} | given
        first, rows = fields["first_row"], []
        token = POSITIONS[fields["sequence"]] + fields["token"] if "sequence" in fields else None
        words, run = fields.get("count", fields.get("dim")) // LANES, 0
        for n in range(fields["rows"]):
            unit = self.units[first + n]
            row = {"index": first + n, "offset": n, "base": (first + n) * words, "unit": as_fields(unit),
                   "count": fields["heads"] * fields["dim"] if opcode in HEADING else fields["count"]}
            row["accumulator"] = fields["gate_accumulator" if opcode == Opcode.NORM else "accumulator"]
            row |= {name: as_fields(scale) for name, scale in self._scales(opcode, fields, unit).items()}
            if opcode in (Opcode.KEY, Opcode.VALUE):
                ends = (n == fields["rows"] - 1 or run == BUILD.attention_rows - 1
                        or (token + n) % BLOCK_TOKENS == BLOCK_TOKENS - 1)
                row |= {"token": token + n, "first": int(run == 0), "last": int(ends)}
                run = 0 if ends else run + 1
            kind = {"norming": opcode == Opcode.NORM, "adding": opcode == Opcode.RESIDUAL,
                    "selecting": opcode == Opcode.SELECT, "storing": opcode == Opcode.STORE,
                    "heading": opcode in HEADING}
            if opcode in HEADING:
                kind |= {"rotating": opcode != Opcode.VALUE, "caching": opcode != Opcode.QUERY}
            rows.append({"row": row, "kind": {name: int(value) for name, value in kind.items()}})
            if opcode == Opcode.NORM:
                self.units[first + n] = random_scalars(rng, 8, -30, 10)[4]
                rows[-1]["unit"] = as_fields(self.units[first + n])
        self.commands.append({
            "bits": int.from_bytes(pack(opcode, wait=int(rng.integers(1 << 16)), **fields), "little"),
            "begins": BEGINS[opcode], "rows": rows, "counting": int(not fields.get("levels16", 0)),
            "ends": {Opcode.RESIDUAL: "added", Opcode.SELECT: "selected"}.get(opcode)})


def test_bench():
    story, rows = Story(np.random.default_rng(1)), BUILD.slots
    plain = {"source": NormSource.RESIDUAL, "levels16": 0}
    story.add(Opcode.NORM, rows=rows, **plain)
    story.add(Opcode.QUERY, rows=3, first_row=2)
    story.add(Opcode.KEY, rows=7, first_row=1, sequence=0, token=0)  # a block ends after four
    story.add(Opcode.VALUE, rows=4, sequence=1, token=5)
    story.add(Opcode.KEY, sequence=3, token=2, heads=1)
    for activation in Activation:
        story.add(Opcode.NORM, rows=2, first_row=5, source=NormSource.GATED, activation=activation, levels16=0)
    story.add(Opcode.RESIDUAL, rows=rows, count=4)
    story.add(Opcode.NORM, rows=1, first_row=7, source=NormSource.ATTENTION, levels16=1)
    story.add(Opcode.SELECT, rows=2, first_row=6, count=11)
    story.add(Opcode.STORE, rows=3, first_row=1, source=2)
    story.add(Opcode.RESIDUAL, first_row=7)
    run_bench(RowControl(BUILD), "tests.hw.vector.row_control_bench", {
        "positions": POSITIONS, "commands": story.commands,
        "units": [as_fields(story.first_units[n]) for n in range(rows)]})
