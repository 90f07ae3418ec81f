"""The vector engine's control: a command taken apart, its rows one by one."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.multiply_add import registered_product
from hw.arith.scalar import SCALAR, from_word, power_of_two, scalar_const, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.command import COMMAND_BITS, HEADER_LAYOUT, POSITIONS, command_layout, shared_field
from hw.vector.layer_inputs import STEP_WRITE
from hw.vector.rope import ROPE_FRACTION
from hw.vector.row import KIND, ROW
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import OPCODES, Activation, Engine, Opcode
from models.machine.descriptor import NormSource as Source
from models.machine.kv_format import QUERY_FORMAT
from models.machine.tables import SIGMOID_FRACTION

__all__ = ["RowControl"]

_ALL = [opcode for opcode in Opcode if OPCODES[opcode].engine == Engine.VECTOR]
_HEADING = (Opcode.QUERY, Opcode.KEY, Opcode.VALUE)
_CACHING = (Opcode.KEY, Opcode.VALUE)
_COUNTING = [opcode for opcode in _ALL if opcode not in _HEADING]


class RowControl(wiring.Component):
    """Take a command, and for each of its rows work out the scales and start norm, heads, addition, choice or store.

    Contract: `command` is taken when idle and held on `held`; `kind` and `row` hold still from a start until the
    work's end. `retired` pulses when the last row is done and `write_idle` holds. `unit[r]`, the value of one unit of
    row r's input, starts from the transfer on `norm_unit` that ends a norm, or from one on `i_step`, for which a norm
    waits; `counting` pulses where a norm was one for the linear engine.
    Starts are held until taken: `start_norm` until `norm_ready`, `start_heads` until `heads_ready`, `ask` (for the
    row's sums) until `ask_ready`, with which `start_select` pulses for a choice; `start_store` pulses. Heads end when
    `heads_busy` falls, additions with `added`, choices with `selected`, stores with `stored`.

    Five cycles a command, two a row and what the scales take of the scalar unit.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "positions": In(POSITIONS),
            "write_idle": In(1),
            "retired": Out(1),
            "held": Out(COMMAND_BITS),
            "kind": Out(KIND),
            "row": Out(ROW),
            "unit": Out(data.ArrayLayout(SCALAR, build.slots)),
            "scalar": Out(ScalarPort()),
            "start_norm": Out(1),
            "norm_ready": In(1),
            "norm_unit": In(stream.Signature(SCALAR)),
            "i_step": In(stream.Signature(STEP_WRITE, always_ready=True)),
            "counting": Out(1),
            "start_heads": Out(1),
            "heads_ready": In(1),
            "heads_busy": In(1),
            "ask": Out(1),
            "ask_ready": In(1),
            "start_select": Out(1),
            "added": In(1),
            "selected": In(1),
            "start_store": Out(1),
            "stored": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        command = Signal(COMMAND_BITS, reset_less=True)
        opcode = data.View(HEADER_LAYOUT, command).opcode
        norm = data.View(command_layout(Opcode.NORM), command)
        rows, first_row = (shared_field(command, _ALL, name) for name in ("rows", "first_row"))
        row_channels = shared_field(command, _ALL, "count", "dim")  # of a residual row, or of a row of angles
        count = shared_field(command, _COUNTING, "count")
        heads, dim, accumulator, heads_scale = (
            shared_field(command, _HEADING, name) for name in ("heads", "dim", "accumulator", "scale"))
        sequence, token = (shared_field(command, _CACHING, name) for name in ("sequence", "token"))
        addition = data.View(command_layout(Opcode.RESIDUAL), command)
        choice = data.View(command_layout(Opcode.SELECT), command)
        store = data.View(command_layout(Opcode.STORE), command)
        row, lane_bits = Signal(ROW, reset_less=True), exact_log2(self._build.lanes)
        kind = Signal(KIND)
        m.d.comb += [self.held.eq(command), self.kind.eq(kind), self.row.eq(row)]

        of_heads, words = Signal(16, reset_less=True), Signal(16, reset_less=True)  # sums and words of a row
        # of the command's first row; products have registers of their own
        base = registered_product(m, platform, row.index, (row_channels >> lane_bits))
        left, last_row = Signal(8, reset_less=True), Signal(reset_less=True)  # rows that are left; the row is the last
        run = Signal(range(self._build.attention_rows))  # rows before this one whose keys leave with its
        scalars = ScalarSteps(m, self.scalar)
        m.d.sync += self.counting.eq(0)
        step, given = self.i_step, self.norm_unit
        with m.If(step.valid | (given.valid & given.ready)):
            m.d.sync += Value.cast(self.unit[Mux(step.valid, step.p.row, row.index)]).eq(
                Mux(step.valid, Value.cast(step.p.unit), Value.cast(given.p)))
        idle = Signal(init=1)  # state IDLE, as a register: it enables the whole command
        with m.If(idle):
            m.d.sync += command.eq(self.command.payload)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                with m.If(self.command.valid):
                    m.d.sync += idle.eq(0)
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [
                    kind.norming.eq(opcode == Opcode.NORM), kind.adding.eq(opcode == Opcode.RESIDUAL),
                    kind.selecting.eq(opcode == Opcode.SELECT), kind.storing.eq(opcode == Opcode.STORE),
                    kind.heading.eq((opcode == Opcode.QUERY) | (opcode == Opcode.KEY) | (opcode == Opcode.VALUE)),
                    kind.rotating.eq(opcode != Opcode.VALUE), kind.caching.eq(opcode != Opcode.QUERY),
                    of_heads.eq(heads * dim),
                    row.index.eq(first_row), row.offset.eq(0), left.eq(rows),
                    row.token.eq(self.positions[sequence] + token), run.eq(0),
                ]
                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.sync += [row.count.eq(Mux(kind.heading, of_heads, count)),
                             row.accumulator.eq(Mux(kind.norming, norm.gate_accumulator, Mux(
                                 kind.adding, addition.accumulator, Mux(
                                     kind.selecting, choice.accumulator, Mux(
                                         kind.storing, store.accumulator, accumulator))))),
                             words.eq(row_channels >> lane_bits)]
                m.next = "BASE"
            with m.State("BASE"):
                m.d.sync += row.base.eq(base)
                m.next = "ROW"
            with m.State("ROW"):
                m.d.sync += [Value.cast(row.unit).eq(Value.cast(self.unit[row.index])),
                             Value.cast(row.scale).eq(power_of_two(norm.unit_exponent)),
                             last_row.eq(left == 1), row.first.eq(run == 0),
                             row.last.eq((left == 1) | (run == self._build.attention_rows - 1)
                                         | (row.token % BLOCK_TOKENS == BLOCK_TOKENS - 1))]
                with m.Switch(opcode):
                    with m.Case(Opcode.NORM):
                        m.next = "NORM"
                        with m.If(norm.source == Source.GATED):
                            m.next = "GATE_SCALE"
                    with m.Case(Opcode.QUERY, Opcode.KEY, Opcode.VALUE):
                        m.next = "HEAD_SCALE"
                    with m.Case(Opcode.RESIDUAL):
                        m.next = "ADD_SCALE"
                    with m.Case(Opcode.SELECT):
                        m.next = "SUMS"
                    with m.Case(Opcode.STORE):
                        m.next = "STORE"
                    with m.Default():
                        m.next = "WRITTEN"

            self._norm_states(m, scalars, norm, row)
            self._head_states(m, scalars, heads_scale, row, kind)
            scalars.state("ADD_SCALE", row.scale, ScalarOp.MUL, a=row.unit, b=_word(addition.scale), then="SUMS")
            with m.State("STORE"):
                m.d.comb += self.start_store.eq(1)
                m.next = "WORKING"
            with m.State("SUMS"):
                m.d.comb += [self.ask.eq(1), self.start_select.eq(kind.selecting & self.ask_ready)]
                with m.If(self.ask_ready):
                    m.next = "WORKING"
            with m.State("WORKING"):
                with m.If(self.selected | self.added | self.stored | (kind.heading & ~self.heads_busy)):
                    m.next = "NEXT"

            with m.State("NEXT"):
                m.d.sync += [row.index.eq(row.index + 1), row.offset.eq(row.offset + 1), left.eq(left - 1),
                             row.base.eq(row.base + words), row.token.eq(row.token + 1),
                             run.eq(Mux(row.last, 0, run + 1))]
                m.next = "ROW"
                with m.If(last_row):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"), m.If(self.write_idle):
                m.d.comb += self.retired.eq(1)
                m.d.sync += idle.eq(1)
                m.next = "IDLE"
        return m

    def _norm_states(self, m: Module, scalars: ScalarSteps, norm: data.View, row: data.View) -> None:
        """The scales of a gated product; the norm; the unit it leaves behind."""
        up_scale, product = Signal(SCALAR, reset_less=True), Signal(SCALAR, reset_less=True)

        def by_activation() -> None:
            with m.If(norm.activation == Activation.SILU):
                m.next = "SIGMOID_UNIT"
            with m.Else():
                m.next = "SQUARED_UNIT"

        scalars.state("GATE_SCALE", row.gate_scale, ScalarOp.MUL, a=row.unit, b=_word(norm.gate_scale), then="UP_SCALE")
        scalars.state("UP_SCALE", up_scale, ScalarOp.MUL, a=row.unit, b=_word(norm.up_scale), then=by_activation)
        scalars.state("SIGMOID_UNIT", product, ScalarOp.MUL, a=row.gate_scale, b=up_scale, then="SHIFT")
        with m.State("SHIFT"):
            m.d.sync += Value.cast(row.scale).eq(shift(product, -SIGMOID_FRACTION))
            m.next = "NORM"
        scalars.state("SQUARED_UNIT", product, ScalarOp.MUL, a=row.gate_scale, b=row.gate_scale, then="PRODUCT_UNIT")
        scalars.state("PRODUCT_UNIT", row.scale, ScalarOp.MUL, a=product, b=up_scale, then="NORM")
        with m.State("NORM"):
            m.d.comb += self.start_norm.eq(1)
            with m.If(self.norm_ready):
                m.next = "NORMALISING"
        with m.State("NORMALISING"):
            m.d.comb += self.norm_unit.ready.eq(~self.i_step.valid)
            with m.If(self.norm_unit.valid & self.norm_unit.ready):
                m.d.sync += self.counting.eq(~norm.levels16)
                m.next = "NEXT"

    def _head_states(self, m: Module, scalars: ScalarSteps, scale: Value, row: data.View, kind: data.View) -> None:
        """The scale of heads' sums and that over their levels; the heads."""
        scalars.state("HEAD_SCALE", row.scale, ScalarOp.MUL, a=row.unit, b=_word(scale),
                      then="FRACTION")
        with m.State("FRACTION"):
            with m.If(kind.rotating):
                m.d.sync += Value.cast(row.scale).eq(shift(row.scale, -ROPE_FRACTION))
            m.next = "HEAD_STEP"
        step = Mux(kind.caching, *(_step_of(each.limit) for each in (self._build.kv, QUERY_FORMAT)))
        scalars.state("HEAD_STEP", row.step, ScalarOp.MUL, a=row.scale, b=step,
                      then="HEADS")
        with m.State("HEADS"):
            m.d.comb += self.start_heads.eq(1)
            with m.If(self.heads_ready):
                m.next = "SUMS"


def _word(value: Value) -> Value:
    """SCALAR bits of a memory word."""
    mantissa, exponent = from_word(value)
    return Cat(mantissa, exponent, exponent[-1].replicate(2))


def _step_of(limit: int) -> Value:
    """One over the largest level."""
    return Value.cast(scalar_const(Fraction(1, limit)))
