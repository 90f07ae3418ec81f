"""The vector engine: norms, rotations, quantisers, residual additions, one row of a command at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR, from_word, power_of_two, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort, ScalarUnit
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.command import COMMAND_BITS, HEADER_LAYOUT, command_layout
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, SUM_ELEMENT
from hw.memory.shapes import LOAD_ELEMENT, WRITE_BEAT
from hw.vector.channel_memories import ChannelMemories
from hw.vector.head_path import HeadPath
from hw.vector.norm_quant import TAP_USER, NormQuant
from hw.vector.norm_source import NormSource
from hw.vector.residual import ResidualAdd, ResidualWriter
from hw.vector.rope import ROPE_FRACTION
from hw.vector.tap import TAP, Tap
from models.machine.build import BuildParameters
from models.machine.descriptor import Activation, LoadTarget, Opcode
from models.machine.descriptor import NormSource as Source
from models.machine.tables import SIGMOID_FRACTION

__all__ = ["VectorEngine"]


def connect_streams(m: Module, source, sink) -> None:
    """Drive the sink from the source under the conditions around the call."""
    m.d.comb += [sink.valid.eq(source.valid), sink.p.eq(source.p), source.ready.eq(sink.ready)]


class VectorEngine(wiring.Component):
    """NORM, QUERY, KEY, VALUE and RESIDUAL, row after row of a command.

    Contract, by golden function (docs/numerics.md):
    NORM: `norm_quant` of the residual stream, of attention's results or of `gated_product`, to `o_linear`
    (levels 127) or, with levels16, to `o_head`; `unit[row]` becomes the value of one unit of the result.
    QUERY, KEY: `rope`, then `head_quant`; VALUE: `head_quant`; the sums' unit is unit[row] * scale. Queries go to
    `o_query` and `o_query_scale`, keys and values to the cache, at token position + row (`KVWriter`).
    RESIDUAL: `residual_add` with its tap into the residual memory; the sums' unit is unit[row] * scale.

    Memories: residual (rows * hidden_max words, row r from r * count on), gain and tap (inputs_max words), rotary
    table (rows * head_dim_max words, row r from r * dim on); `i_load` fills them, ready but for
    cycles in which RESIDUAL writes.
    Sums are read through `read_a`/`sums_a` and, for up, `read_b`/`sums_b`; attention's results through
    `read_attention`/`attention`, whose unit is 2**attention_exponent, steady while they come.
    Events, one cycle each: `saturations` (channel clipped by a residual addition), `activations` (int8 value
    sent), `zeros` (which was 0).

    `command` is taken when idle, with rows and count, or heads and dim, at least 1; `retired` pulses
    when results are delivered and `write_idle` says that written beats are answered (it falls the
    cycle after a beat is taken). `position` holds still during a command. Other opcodes retire without effect.

    Cycles of a row of n channels: NORM 3 n or, with rms and a tap, 4 n, and 110 to 380; RESIDUAL n + 26 to 44;
    QUERY, KEY, VALUE heads * (2 dim + about 75) + dim.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "position": In(16),
            "i_load": In(stream.Signature(LOAD_ELEMENT)),
            "read_a": Out(stream.Signature(READ_REQUEST)),
            "sums_a": In(stream.Signature(SUM_ELEMENT)),
            "read_b": Out(stream.Signature(READ_REQUEST)),
            "sums_b": In(stream.Signature(SUM_ELEMENT)),
            "read_attention": Out(stream.Signature(OUTPUT_REQUEST)),
            "attention": In(stream.Signature(OUTPUT_WORD)),
            "attention_exponent": In(SCALAR["e"].shape),
            "o_linear": Out(stream.Signature(activation_layout(8))),
            "o_head": Out(stream.Signature(activation_layout(16))),
            "o_query": Out(stream.Signature(QUERY)),
            "o_query_scale": Out(stream.Signature(QUERY_SCALE)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "write_idle": In(1),
            "unit": Out(data.ArrayLayout(SCALAR, build.slots)),
            "saturations": Out(1),
            "zeros": Out(1),
            "activations": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        m.submodules.channels = self._channels = ChannelMemories(build.slots * build.hidden_max, build.inputs_max)
        m.submodules.tap = self._tap = Tap(TAP_USER)
        m.submodules.source = self._source = NormSource()
        m.submodules.norm = self._norm = NormQuant()
        m.submodules.heads = self._heads = HeadPath(
            dim_max=build.head_dim_max, rows=build.slots, kv_bits=build.kv_bits, ports=build.ports)
        m.submodules.add = self._add = ResidualAdd(data.StructLayout({"tap": TAP, "last": 1}))
        m.submodules.writer = self._writer = ResidualWriter()

        command = Signal(COMMAND_BITS, reset_less=True)
        self._opcode = data.View(HEADER_LAYOUT, command).opcode
        self._norm_fields = data.View(command_layout(Opcode.NORM), command)
        self._add_fields = data.View(command_layout(Opcode.RESIDUAL), command)
        # QUERY has the first fields of KEY and VALUE, which are alike.
        self._head_fields = data.View(command_layout(Opcode.KEY), command)
        self._row = Signal(8, reset_less=True)
        self._base = Signal(16, reset_less=True)  # of the row in the residual memory or in the rotary table
        self._token = Signal(16, reset_less=True)
        self._scale = Signal(SCALAR, reset_less=True)
        self._gate_scale = Signal(SCALAR, reset_less=True)
        self._row_sums = Signal(16, reset_less=True)
        self._scalar = ScalarPort().create()
        self._start_add = Signal()
        self._asking = Signal()
        m.d.sync += self._row_sums.eq(self._head_fields.heads * self._head_fields.dim)

        self._share_scalar_unit(m)
        self._connect_memories(m)
        self._connect_norm(m)
        self._connect_heads(m)
        self._connect_residual(m)
        self._control(m, command)
        return m

    def _share_scalar_unit(self, m: Module) -> None:
        """Control, norm and heads take turns by their nature: one of them computes at a time."""
        m.submodules.scalar = unit = ScalarUnit()
        for port in (self._scalar, self._norm.scalar, self._heads.scalar):
            with m.If(port.operands.valid):
                m.d.comb += [unit.i.p.eq(port.operands.p), unit.i.valid.eq(1)]
            with m.If(port.result.ready):
                m.d.comb += unit.o.ready.eq(1)
            m.d.comb += [port.operands.ready.eq(unit.i.ready), port.result.p.eq(unit.o.p),
                         port.result.valid.eq(unit.o.valid)]

    def _connect_memories(self, m: Module) -> None:
        """Loads, and who reads sums and channels: the residual addition, the heads, or the norm's source."""
        channels, table, load = self._channels, self._heads.i_table, self.i_load
        m.d.comb += [
            channels.i_load.valid.eq(load.valid),
            channels.i_load.p.eq(load.p),
            load.ready.eq(channels.i_load.ready),
            table.valid.eq(load.valid & load.ready & (load.p.target == LoadTarget.ROPE)),
            table.p.index.eq(load.p.index),
            table.p.value.eq(load.p.data),
        ]
        source, fields = self._source, self._head_fields
        norm, adding = self._opcode == Opcode.NORM, self._opcode == Opcode.RESIDUAL
        own_count = Mux(adding, self._add_fields.count, self._row_sums)
        with m.If(norm):
            connect_streams(m, source.o_gate, self.read_a)
            connect_streams(m, self.sums_a, source.i_gate)
            connect_streams(m, source.o_channels, channels.start)
            connect_streams(m, channels.o, source.i_channels)
        with m.Else():
            m.d.comb += [
                self.read_a.valid.eq(self._asking),
                self.read_a.p.row.eq(self._row),
                self.read_a.p.accumulator.eq(Mux(adding, self._add_fields.accumulator, fields.accumulator)),
                self.read_a.p.count.eq(own_count),
                channels.start.valid.eq(self._start_add),
                channels.start.p.count.eq(own_count),
                channels.start.p.base.eq(self._base),
            ]
            with m.If(~adding):
                connect_streams(m, self.sums_a, self._heads.i_sums)

    def _connect_norm(self, m: Module) -> None:
        norm, source, fields = self._norm, self._source, self._norm_fields
        connect(m, source.o_up, flipped(self.read_b))
        connect(m, flipped(self.sums_b), source.i_up)
        connect(m, source.o_attention, flipped(self.read_attention))
        connect(m, flipped(self.attention), source.i_attention)
        connect(m, norm.o_pass, source.i_pass)
        connect(m, source.o, norm.i_x)
        gain_m, gain_e = from_word(fields.gain)
        eps_m, eps_e = from_word(fields.eps_sum)
        m.d.comb += [
            source.settings.source.eq(fields.source),
            source.settings.silu.eq(fields.activation == Activation.SILU),
            source.settings.gate_scale.eq(self._gate_scale),
            source.settings.row.eq(self._row),
            source.settings.count.eq(fields.count),
            source.settings.base.eq(self._base),
            source.settings.group_channels.eq(fields.group_channels),
            source.settings.gate_accumulator.eq(fields.gate_accumulator),
            source.settings.up_accumulator.eq(fields.up_accumulator),
            norm.start.p.gain.m.eq(gain_m), norm.start.p.gain.e.eq(gain_e),
            norm.start.p.eps_sum.m.eq(eps_m), norm.start.p.eps_sum.e.eq(eps_e),
            norm.start.p.rms.eq(fields.rms),
            norm.start.p.gained.eq(fields.gained),
            norm.start.p.levels16.eq(fields.levels16),
            norm.start.p.tapped.eq(fields.tap),
            norm.start.p.exponents.add.eq(fields.tap_add_exponent),
            norm.start.p.exponents.clip.eq(fields.tap_clip_exponent),
            norm.start.p.exponents.threshold.eq(fields.tap_threshold_exponent),
            Value.cast(norm.scale).eq(Mux(fields.source == Source.ATTENTION,
                                          power_of_two(self.attention_exponent), Value.cast(self._scale))),
        ]

        index = Signal(16)
        for target, chosen in ((self.o_linear, ~fields.levels16), (self.o_head, fields.levels16)):
            m.d.comb += [target.valid.eq(norm.o_q.valid & chosen), target.p.row.eq(self._row),
                         target.p.index.eq(index), target.p.value.eq(norm.o_q.p.value)]
        m.d.comb += norm.o_q.ready.eq(Mux(fields.levels16, self.o_head.ready, self.o_linear.ready))
        with m.If(norm.o_q.valid & norm.o_q.ready):
            m.d.sync += index.eq(Mux(norm.o_q.p.last, 0, index + 1))
        m.d.sync += [self.activations.eq(self.o_linear.valid & self.o_linear.ready),
                     self.zeros.eq(self.o_linear.valid & self.o_linear.ready & (norm.o_q.p.value == 0))]

    def _connect_heads(self, m: Module) -> None:
        heads, fields = self._heads, self._head_fields
        connect(m, heads.o_query, flipped(self.o_query))
        connect(m, heads.o_query_scale, flipped(self.o_query_scale))
        connect(m, heads.o_write, flipped(self.o_write))
        rotate, target = self._opcode != Opcode.VALUE, heads.start.p.target
        scale = data.View(SCALAR, Value.cast(self._scale))
        m.d.comb += [
            heads.start.p.rotate.eq(rotate),
            heads.start.p.cached.eq(self._opcode != Opcode.QUERY),
            heads.start.p.row.eq(self._row),
            heads.start.p.dim.eq(fields.dim),
            heads.start.p.table_base.eq(self._base),
            Value.cast(heads.start.p.scale).eq(Mux(rotate, shift(scale, -ROPE_FRACTION), Value.cast(scale))),
            target.token.eq(self._token),
            *(getattr(target, name).eq(fields[name]) for name in (
                "heads", "address", "address_stride", "block_bytes", "region_bytes", "scale_address",
                "scale_block_bytes",
                "head_bytes")),
        ]

    def _connect_residual(self, m: Module) -> None:
        """Addition, tap, write-back. The tap serves the norm otherwise."""
        add, tap, writer, norm, channels = self._add, self._tap, self._writer, self._norm, self._channels
        fields, adding = self._add_fields, self._opcode == Opcode.RESIDUAL
        both = self.sums_a.valid & channels.o.valid
        m.d.comb += [
            add.scale.eq(self._scale),
            add.fraction_bits.eq(fields.fraction_bits),
            add.i.p.h.eq(channels.o.p.h),
            add.i.p.sum.eq(self.sums_a.p.value),
            add.i.p.user.tap.eq(channels.o.p.tap),
            add.i.p.user.last.eq(channels.o.p.last),
            writer.start.eq(self._start_add & channels.start.ready),
            writer.base.eq(self._base),
        ]
        connect(m, writer.o, channels.i_residual)
        with m.If(adding):
            m.d.comb += [
                add.i.valid.eq(both),
                self.sums_a.ready.eq(both & add.i.ready),
                channels.o.ready.eq(both & add.i.ready),
                tap.settings.narrow.eq(1),
                Value.cast(tap.settings.rho).eq(power_of_two(fields.fraction_bits)),
                tap.settings.exponents.add.eq(fields.tap_add_exponent),
                tap.settings.exponents.clip.eq(fields.tap_clip_exponent),
                tap.settings.exponents.threshold.eq(fields.tap_threshold_exponent),
                tap.i.valid.eq(add.o.valid & fields.tap),
                tap.i.p.x.eq(add.o.p.h),
                tap.i.p.parameters.eq(add.o.p.user.tap),
                tap.i.p.user.last.eq(add.o.p.user.last),
                tap.o.ready.eq(1),
                add.o.ready.eq(~fields.tap | tap.i.ready),
                writer.valid.eq(Mux(fields.tap, tap.o.valid, add.o.valid)),
                writer.h.eq(Mux(fields.tap, tap.o.p.y[:32].as_signed(), add.o.p.h)),
                writer.last.eq(Mux(fields.tap, tap.o.p.user.last, add.o.p.user.last)),
            ]
        with m.Else():
            m.d.comb += tap.settings.eq(norm.tap_settings)
            connect_streams(m, norm.o_tap, tap.i)
            connect_streams(m, tap.o, norm.i_tap)
        m.d.sync += self.saturations.eq(add.o.valid & add.o.ready & add.o.p.saturated)

    def _control(self, m: Module, command: Signal) -> None:
        """Per row: the scale from the last norm's unit, then norm, heads or addition."""
        norm, heads = self._norm_fields, self._head_fields
        opcode = self._opcode
        unit = self.unit[self._row]
        scalars = ScalarSteps(m, self._scalar)

        def word(value):
            """SCALAR bits of a memory word."""
            mantissa, exponent = from_word(value)
            return Cat(mantissa, exponent, exponent[-1].replicate(2))

        def by_activation():
            with m.If(norm.activation == Activation.SILU):
                m.next = "SIGMOID_UNIT"
            with m.Else():
                m.next = "SQUARED_UNIT"

        up_scale, product = Signal(SCALAR, reset_less=True), Signal(SCALAR, reset_less=True)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += [command.eq(self.command.payload), self._row.eq(0), self._base.eq(0),
                             self._token.eq(self.position)]
                with m.If(self.command.valid):
                    m.next = "ROW"
            with m.State("ROW"):
                m.d.sync += Value.cast(self._scale).eq(power_of_two(norm.unit_exponent))
                with m.Switch(opcode):
                    with m.Case(Opcode.NORM):
                        m.next = "NORM"
                        with m.If(norm.source == Source.GATED):
                            m.next = "GATE_SCALE"
                    with m.Case(Opcode.QUERY, Opcode.KEY, Opcode.VALUE):
                        m.next = "HEAD_SCALE"
                    with m.Case(Opcode.RESIDUAL):
                        m.next = "ADD_SCALE"
                    with m.Default():
                        m.next = "WRITTEN"

            scalars.state("GATE_SCALE", self._gate_scale, ScalarOp.MUL, a=unit, b=word(norm.gate_scale),
                          then="UP_SCALE")
            scalars.state("UP_SCALE", up_scale, ScalarOp.MUL, a=unit, b=word(norm.up_scale), then=by_activation)
            scalars.state("SIGMOID_UNIT", product, ScalarOp.MUL, a=self._gate_scale, b=up_scale, then="SHIFT")
            with m.State("SHIFT"):
                m.d.sync += Value.cast(self._scale).eq(shift(product, -SIGMOID_FRACTION))
                m.next = "NORM"
            scalars.state("SQUARED_UNIT", product, ScalarOp.MUL, a=self._gate_scale, b=self._gate_scale,
                          then="PRODUCT_UNIT")
            scalars.state("PRODUCT_UNIT", self._scale, ScalarOp.MUL, a=product, b=up_scale, then="NORM")
            with m.State("NORM"):
                m.d.comb += self._norm.start.valid.eq(1)
                with m.If(self._norm.start.ready):
                    m.next = "NORMALISING"
            with m.State("NORMALISING"):
                m.d.comb += self._norm.o_scale.ready.eq(1)
                with m.If(self._norm.o_scale.valid):
                    m.d.sync += Value.cast(unit).eq(Value.cast(self._norm.o_scale.p))
                    m.next = "NEXT"

            scalars.state("HEAD_SCALE", self._scale, ScalarOp.MUL, a=unit, b=word(heads.scale), then="HEADS")
            with m.State("HEADS"):
                m.d.comb += self._heads.start.valid.eq(1)
                with m.If(self._heads.start.ready):
                    m.next = "HEAD_SUMS"
            with m.State("HEAD_SUMS"):
                m.d.comb += self._asking.eq(1)
                with m.If(self.read_a.ready):
                    m.next = "QUANTISING"
            with m.State("QUANTISING"), m.If(~self._heads.busy):
                m.next = "NEXT"

            scalars.state("ADD_SCALE", self._scale, ScalarOp.MUL, a=unit, b=word(self._add_fields.scale),
                          then="ADD")
            with m.State("ADD"):
                m.d.comb += self._start_add.eq(1)
                with m.If(self._channels.start.ready):
                    m.next = "ADD_SUMS"
            with m.State("ADD_SUMS"):
                m.d.comb += self._asking.eq(1)
                with m.If(self.read_a.ready):
                    m.next = "ADDING"
            with m.State("ADDING"), m.If(self._writer.done):
                m.next = "NEXT"

            with m.State("NEXT"):
                rows = Mux(opcode == Opcode.NORM, norm.rows,
                           Mux(opcode == Opcode.RESIDUAL, self._add_fields.rows, heads.rows))
                step = Mux(opcode == Opcode.NORM, norm.count,
                           Mux(opcode == Opcode.RESIDUAL, self._add_fields.count, heads.dim))
                m.d.sync += [self._row.eq(self._row + 1), self._base.eq(self._base + step),
                             self._token.eq(self._token + 1)]
                m.next = "ROW"
                with m.If(self._row + 1 == rows):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"), m.If(self.write_idle):
                m.d.comb += self.retired.eq(1)
                m.next = "IDLE"
