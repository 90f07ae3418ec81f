"""The vector engine: norms, rotations, quantisers, residual additions, one row of a command at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR, from_word, power_of_two
from hw.arith.scalar_unit import ScalarUnit
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.command import COMMAND_BITS, POSITIONS, command_layout
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, SUM_WORD
from hw.memory.shapes import ID_BITS, LIST_PLACE, LOAD_WORD, WRITE_BEAT
from hw.vector.channel_memories import ChannelMemories
from hw.vector.head_path import HeadPath
from hw.vector.norm_quant import NormQuant
from hw.vector.norm_source import NormSource
from hw.vector.rescale import Rescale
from hw.vector.residual import ResidualAdd
from hw.vector.row_control import RowControl
from hw.vector.select import Select
from hw.vector.word_tap import WordTap
from models.machine.build import LANES, BuildParameters
from models.machine.descriptor import Activation, LoadTarget, Opcode
from models.machine.descriptor import NormSource as Source

__all__ = ["VectorEngine"]

_LANE_BITS = LANES.bit_length() - 1


class VectorEngine(wiring.Component):
    """NORM, QUERY, KEY, VALUE, RESIDUAL and SELECT of rows first_row + r, r < rows, LANES channels of a row a cycle.

    Contract, by golden function (docs/numerics.md):
    NORM: `norm_quant` of the residual stream, of attention's results or of `gated_product`, to `o_linear`
    (levels 127) or, with levels16, as row r to `o_head`; `unit[row]` becomes the value of one unit of the result.
    QUERY, KEY: `rope`, then `head_quant`; VALUE: `head_quant`; the sums' unit is unit[row] * scale. Queries go to
    `o_query` and `o_query_scale`, keys and values to the cache (`KVWriter`), as token positions[sequence] + token + r.
    RESIDUAL: `residual_add` with its tap into the residual memory; the sums' unit is unit[row] * scale.
    SELECT: `shortlist`, piece by piece (`hw.vector.select`), into the list of row first_row + r, from which `read_list`
    -> `listed` takes ids, any time no SELECT of that row is under way.
    Counts of channels are multiples of LANES but for SELECT's, dim one of 2 * LANES.

    Memories: residual (slots * hidden_max channels, row r from r * count on), gain and tap (inputs_max channels),
    rotary table (slots * head_dim_max angles, row r from r * dim on); `i_load` fills them, ready but for residual
    values while RESIDUAL writes.
    Sums are read through `read_a`/`sums_a` and, for up, `read_b`/`sums_b`; attention's results through
    `read_attention`/`attention`, whose unit is 2**attention_exponent, steady while they come.
    `o_linear`, `o_head`, `o_query` and `o_query_scale` must be ready always.
    Events: `saturations`, how many channels a residual addition clipped in a cycle; `activations` and `zeros`, how many
    int8 values a row has and how many of them are 0, once it stands: what a norm sends twice counts once.

    `command` is taken when idle, with rows and count, or heads and dim, at least 1; `retired` pulses
    when results are delivered and `write_idle` says that written beats are answered (it falls the
    cycle after a beat is taken). `positions` hold still during a command. Other opcodes retire without effect.

    Cycles of a row of n channels, L = LANES, about: NORM 2 n / L + 90, with rms 160; with a tap n / L + 100 more, with
    both another n / L; RESIDUAL n / L + 30, with a tap 50; QUERY, KEY, VALUE heads * max(dim / L + 1, 25) + 125;
    SELECT n / L + 20, with `begin` k more, and what the entries take that enter the list.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "positions": In(POSITIONS),
            "i_load": In(stream.Signature(LOAD_WORD)),
            "read_a": Out(stream.Signature(READ_REQUEST)),
            "sums_a": In(stream.Signature(SUM_WORD)),
            "read_b": Out(stream.Signature(READ_REQUEST)),
            "sums_b": In(stream.Signature(SUM_WORD)),
            "read_attention": Out(stream.Signature(OUTPUT_REQUEST)),
            "attention": In(stream.Signature(OUTPUT_WORD)),
            "attention_exponent": In(SCALAR["e"].shape),
            "read_list": In(stream.Signature(LIST_PLACE)),
            "listed": Out(stream.Signature(ID_BITS)),
            "o_linear": Out(stream.Signature(activation_layout(8))),
            "o_head": Out(stream.Signature(activation_layout(16))),
            "o_query": Out(stream.Signature(QUERY)),
            "o_query_scale": Out(stream.Signature(QUERY_SCALE)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "write_idle": In(1),
            "unit": Out(data.ArrayLayout(SCALAR, build.slots)),
            "saturations": Out(range(LANES + 1)),
            "zeros": Out(16),
            "activations": Out(16),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        m.submodules.channels = self._channels = ChannelMemories(
            build.slots * -(-build.hidden_max // LANES), build.inputs_max)
        m.submodules.rescale = self._rescale = Rescale()
        m.submodules.tap = self._tap = WordTap()
        m.submodules.source = self._source = NormSource()
        m.submodules.norm = self._norm = NormQuant()
        m.submodules.heads = self._heads = HeadPath(build)
        m.submodules.add = self._add = ResidualAdd()
        m.submodules.select = self._select = Select(build.slots)
        m.submodules.scalar = self._scalar_unit = ScalarUnit()
        m.submodules.control = self._control = control = RowControl(build)
        command, self._kind, self._row = control.held, control.kind, control.row
        self._norm_fields = data.View(command_layout(Opcode.NORM), command)
        self._add_fields = data.View(command_layout(Opcode.RESIDUAL), command)
        self._select_fields = data.View(command_layout(Opcode.SELECT), command)
        # QUERY has the first fields of KEY and VALUE, which are alike, and zeros in place of the others.
        self._head_fields = data.View(command_layout(Opcode.KEY), command)

        connect(m, flipped(self.command), control.command)
        m.d.comb += [control.positions.eq(self.positions), control.write_idle.eq(self.write_idle),
                     self.retired.eq(control.retired), self.unit.eq(control.unit)]
        self._share_units(m)
        self._connect_memories(m)
        self._connect_norm(m)
        self._connect_heads(m)
        self._connect_residual(m)
        self._connect_select(m)
        return m

    def _share_units(self, m: Module) -> None:
        """Control, norm, heads and residual addition take turns by their nature: one of them computes at a time."""
        unit, kind = self._scalar_unit, self._kind
        for port in (self._control.scalar, self._norm.scalar, self._heads.scalar):
            with m.If(port.operands.valid):
                m.d.comb += [unit.i.p.eq(port.operands.p), unit.i.valid.eq(1)]
            with m.If(port.result.ready):
                m.d.comb += unit.o.ready.eq(1)
            m.d.comb += [port.operands.ready.eq(unit.i.ready), port.result.p.eq(unit.o.p),
                         port.result.valid.eq(unit.o.valid)]
        for shared, users in (
                (self._rescale, ((self._norm.rescale, kind.norming), (self._heads.rescale, kind.heading),
                                 (self._add.rescale, kind.adding))),
                (self._tap, ((self._norm.tap, kind.norming), (self._add.tap, kind.adding)))):
            m.d.comb += shared.i.valid.eq(_any(user.words.valid for user, _ in users))
            for user, at_work in users:
                with m.If(at_work):
                    m.d.comb += shared.i.p.eq(user.words.p)
                m.d.comb += [user.results.valid.eq(shared.o.valid & at_work), user.results.p.eq(shared.o.p)]

    def _connect_memories(self, m: Module) -> None:
        """Loads, and who reads sums and channels: the residual addition, the heads, or the norm's source."""
        channels, table, load = self._channels, self._heads.i_table, self.i_load
        m.d.comb += [
            channels.i_load.valid.eq(load.valid),
            channels.i_load.p.eq(load.p),
            load.ready.eq(channels.i_load.ready),
        ]
        m.d.sync += [
            table.valid.eq(load.valid & load.ready & (load.p.target == LoadTarget.ROPE)),
            table.p.index.eq(load.p.index >> _LANE_BITS),
            Value.cast(table.p.angles).eq(load.p.data),
        ]
        kind, row = self._kind, self._row
        source, add, heads, select = self._source, self._add, self._heads, self._select
        m.d.comb += [
            channels.gain.index.eq(Mux(kind.selecting, select.gain.index, self._norm.gain.index)),
            channels.gain_hold.eq(select.hold),
            self._norm.gain.word.eq(channels.gain.word), select.gain.word.eq(channels.gain.word),
        ]
        connect(m, self._tap.memory, channels.tap)
        connect(m, add.o_write, channels.i_residual)
        m.d.comb += [
            channels.residual.index.eq(Mux(kind.adding, add.memory.index, source.memory.index)),
            add.memory.word.eq(channels.residual.word),
            source.memory.word.eq(channels.residual.word),
        ]
        request = self.read_a.p
        m.d.comb += [
            # a norm that asks for its gate's sums asks for just these
            request.row.eq(row.index), request.accumulator.eq(row.accumulator), request.count.eq(row.count),
            self.read_a.valid.eq(Mux(kind.norming, source.o_gate.valid, self._control.ask)),
            source.o_gate.ready.eq(self.read_a.ready), self._control.ask_ready.eq(self.read_a.ready),
            self.sums_a.ready.eq(Mux(kind.norming, source.i_gate.ready,
                                     Mux(kind.selecting, select.i.ready, kind.adding | heads.i_sums.ready))),
            source.i_gate.valid.eq(self.sums_a.valid & kind.norming), source.i_gate.p.eq(self.sums_a.p),
            add.i.valid.eq(self.sums_a.valid & kind.adding), add.i.p.eq(self.sums_a.p),
            heads.i_sums.valid.eq(self.sums_a.valid & kind.heading), heads.i_sums.p.eq(self.sums_a.p),
            select.i.valid.eq(self.sums_a.valid & kind.selecting), select.i.p.eq(self.sums_a.p),
        ]

    def _connect_norm(self, m: Module) -> None:
        norm, source, fields = self._norm, self._source, self._norm_fields
        connect(m, source.o_up, flipped(self.read_b))
        connect(m, flipped(self.sums_b), source.i_up)
        connect(m, source.o_attention, flipped(self.read_attention))
        connect(m, flipped(self.attention), source.i_attention)
        connect(m, norm.o_pass, source.i_pass)
        connect(m, norm.o_scale, self._control.norm_unit)
        connect(m, source.o, norm.i_x)
        gain_m, gain_e = from_word(fields.gain)
        eps_m, eps_e = from_word(fields.eps_sum)
        m.d.comb += [
            source.settings.source.eq(fields.source),
            source.settings.silu.eq(fields.activation == Activation.SILU),
            source.settings.gate_scale.eq(self._row.gate_scale),
            source.settings.row.eq(self._row.index),
            source.settings.count.eq(fields.count),
            source.settings.base.eq(self._row.base),
            source.settings.group_channels.eq(fields.group_channels),
            source.settings.gate_accumulator.eq(self._row.accumulator),
            source.settings.up_accumulator.eq(fields.up_accumulator),
            norm.start.valid.eq(self._control.start_norm), self._control.norm_ready.eq(norm.start.ready),
            norm.start.p.gain.m.eq(gain_m), norm.start.p.gain.e.eq(gain_e),
            norm.start.p.eps_sum.m.eq(eps_m), norm.start.p.eps_sum.e.eq(eps_e),
            norm.start.p.rms.eq(fields.rms),
            norm.start.p.gained.eq(fields.gained),
            norm.start.p.levels16.eq(fields.levels16),
            norm.start.p.tapped.eq(fields.tap),
            *_exponents(norm.start.p.exponents, fields),
        ]
        m.d.sync += Value.cast(norm.scale).eq(Mux(fields.source == Source.ATTENTION,
                                                  power_of_two(self.attention_exponent), Value.cast(self._row.scale)))

        index, words = Signal(16), norm.o_q
        for target, chosen in ((self.o_linear, ~fields.levels16), (self.o_head, fields.levels16)):
            row = self._row.index if target is self.o_linear else self._row.offset
            m.d.comb += [target.valid.eq(words.valid & chosen), target.p.row.eq(row), target.p.index.eq(index)]
            m.d.comb += [target.p["values"][n].eq(words.p["values"][n]) for n in range(LANES)]
        with m.If(words.valid):
            m.d.sync += index.eq(Mux(words.p.last, 0, index + LANES))
        zeros, first, row_zeros = Signal(LANES), Signal(), Signal(16)  # of the row, as it was sent last
        m.d.sync += [
            *(zeros[n].eq(words.valid & (words.p["values"][n] == 0)) for n in range(LANES)),
            first.eq(words.valid & (index == 0)),
            row_zeros.eq(Mux(first, 0, row_zeros) + sum(zeros)),
            self.zeros.eq(Mux(self._control.counting, row_zeros, 0)),
            self.activations.eq(Mux(self._control.counting, fields.count, 0)),
        ]

    def _connect_heads(self, m: Module) -> None:
        heads, fields = self._heads, self._head_fields
        for given, out in ((heads.o_query, self.o_query), (heads.o_query_scale, self.o_query_scale)):
            m.d.comb += [out.valid.eq(given.valid), out.p.eq(given.p)]
        connect(m, heads.o_write, flipped(self.o_write))
        target = heads.start.p.target
        m.d.comb += [
            heads.start.valid.eq(self._control.start_heads), self._control.heads_ready.eq(heads.start.ready),
            self._control.heads_busy.eq(heads.busy),
            heads.start.p.rotate.eq(self._kind.rotating),
            heads.start.p.cached.eq(self._kind.caching),
            heads.start.p.row.eq(self._row.index),
            heads.start.p.words.eq(fields.dim >> _LANE_BITS),
            heads.start.p.table_base.eq(self._row.base),
            heads.start.p.scale.eq(self._row.step),
            target.token.eq(self._row.token), target.first.eq(self._row.first), target.last.eq(self._row.last),
            *(getattr(target, name).eq(fields[name]) for name in (
                "heads", "address", "address_stride", "block_bytes", "region_bytes", "scale_address",
                "scale_block_bytes", "head_bytes")),
        ]

    def _connect_residual(self, m: Module) -> None:
        """The addition's settings. Its tap serves the norm otherwise."""
        add, tap, norm, fields = self._add, self._tap, self._norm, self._add_fields
        m.d.comb += [
            add.settings.scale.eq(self._row.scale),
            add.settings.fraction_bits.eq(fields.fraction_bits),
            add.settings.tapped.eq(fields.tap),
            add.settings.base.eq(self._row.base),
            *_exponents(add.settings.exponents, fields),
            self.saturations.eq(add.saturations), self._control.added.eq(add.done),
        ]
        m.d.sync += tap.settings.eq(Mux(self._kind.adding, Value.cast(add.tap.settings), Value.cast(norm.tap.settings)))

    def _connect_select(self, m: Module) -> None:
        select, settings, fields = self._select, self._select.settings, self._select_fields
        m.d.comb += [select.start.eq(self._control.start_select), self._control.selected.eq(select.done),
                     settings.row.eq(self._row.index),
                     *(settings[name].eq(fields[name]) for name in ("count", "first_id", "k", "begin"))]
        connect(m, flipped(self.read_list), select.read)
        connect(m, select.o, flipped(self.listed))


def _any(bits) -> Value:
    return Cat(*bits).any()


def _exponents(exponents: data.View, fields: data.View) -> list:
    """The tap's exponents of a command."""
    return [exponents[name].eq(fields[f"tap_{name}_exponent"]) for name in ("add", "clip", "threshold")]
