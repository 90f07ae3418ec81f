"""The vector engine: norms, rotations, quantisers, residual additions, one row of a command at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import ScalarUnit
from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.command import COMMAND_BITS, POSITIONS, command_layout, shared_field
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, SUM_WORD
from hw.memory.burst_former import BurstFormer
from hw.memory.shapes import ID_BITS, LIST_PLACE, LOAD_WORD, WRITE_BEAT
from hw.vector.channel_memories import ChannelMemories
from hw.vector.head_path import HeadPath
from hw.vector.norm_path import NormPath
from hw.vector.rescale import Rescale
from hw.vector.residual import ResidualAdd
from hw.vector.row_control import RowControl
from hw.vector.select import Select
from hw.vector.store import Store
from hw.vector.tap import command_exponents
from hw.vector.word_tap import WordTap
from models.machine.build import LANES, BuildParameters
from models.machine.descriptor import LoadTarget, Opcode

__all__ = ["VectorEngine"]

_LANE_BITS = LANES.bit_length() - 1


class VectorEngine(wiring.Component):
    """NORM, QUERY, KEY, VALUE, RESIDUAL, SELECT and STORE of rows first_row + r, r < rows, LANES channels of a row a
    cycle.

    Contract, by golden function (docs/numerics.md):
    NORM: `norm_quant` of the residual stream, of attention's results or of `gated_product`, to `o_linear`
    (levels 127) or, with levels16, as row r to `o_head`; `unit[row]` becomes the value of one unit of the result.
    QUERY, KEY: `rope`, then `head_quant`; VALUE: `head_quant`; the sums' unit is unit[row] * scale. Queries go to
    `o_query` and `o_query_scale`, keys and values to the cache (`KVWriter`), as token positions[sequence] + token + r.
    RESIDUAL: `residual_add` with its tap into the residual memory; the sums' unit is unit[row] * scale.
    SELECT: `shortlist`, piece by piece (`hw.vector.select`), into the list of row first_row + r, from which `read_list`
    -> `listed` takes ids, any time no SELECT of that row is under way.
    STORE: a row's `count` int32 values to address + r * count * 4, the step of those that have one to steps + r * 16
    (docs/program.md, "Stops").
    Counts of channels are multiples of LANES but for SELECT's, dim one of 2 * LANES.

    Memories: residual (slots * hidden_max channels, row r from r * count on), gain and tap (inputs_max channels),
    rotary table (slots * head_dim_max angles, row r from r * dim on), and unit; `i_load` fills them and sends loaded
    inputs on, ready but for residual values while RESIDUAL writes and for inputs while a norm sends its own. All but
    unit outlast a reset.
    Sums are read through `read_a`/`sums_a` and, for up, `read_b`/`sums_b`; attention's results through
    `read_attention`/`attention`, whose unit is 2**attention_exponent, steady while they come.
    `o_linear`, `o_head`, `o_query` and `o_query_scale` must be ready always.
    Events: `saturations`, how many channels a residual addition clipped in a cycle; `activations` and `zeros`, how many
    int8 values a norm's row has and how many of them are 0, once it stands: what a norm sends twice counts once.

    `command` is taken when idle, with rows and count, or heads and dim, at least 1; `retired` pulses
    when results are delivered and `write_idle` says that written beats are answered (it falls the
    cycle after a beat is taken). `positions` hold still during a command. Other opcodes retire without effect.

    Cycles of a row of n channels, L = LANES, about: NORM 2 n / L + 90, with rms 160; with a tap n / L + 100 more, with
    both another n / L; RESIDUAL n / L + 30, with a tap 50; QUERY, KEY, VALUE heads * max(dim / L + 1, 25) + 125;
    SELECT n / L + 20, with `begin` k more, and what the entries take that enter the list; STORE n / L + 25.
    """

    def __init__(self, build: BuildParameters) -> None:
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

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        m.submodules.channels = self._channels = ChannelMemories(
            build.slots * -(-build.hidden_max // LANES), build.inputs_max)
        m.submodules.rescale = self._rescale = Rescale()
        m.submodules.tap = self._tap = WordTap()
        m.submodules.norm = self._norm = NormPath()
        m.submodules.heads = self._heads = HeadPath(build)
        m.submodules.add = self._add = ResidualAdd()
        m.submodules.select = self._select = Select(build.slots)
        m.submodules.store = self._store = Store()
        m.submodules.former = self._former = BurstFormer()
        m.submodules.scalar = self._scalar_unit = ScalarUnit()
        m.submodules.control = self._control = control = RowControl(build)
        command, self._kind, self._row = control.held, control.kind, control.row
        self._add_fields = data.View(command_layout(Opcode.RESIDUAL), command)
        self._select_fields = data.View(command_layout(Opcode.SELECT), command)
        self._store_fields = data.View(command_layout(Opcode.STORE), command)
        self._heads_of, self._dim = (
            shared_field(command, (Opcode.QUERY, Opcode.KEY, Opcode.VALUE), name) for name in ("heads", "dim"))
        self._cache_fields = {name: shared_field(command, (Opcode.KEY, Opcode.VALUE), name) for name in (
            "address", "address_stride", "block_bytes", "region_bytes", "scale_address", "scale_block_bytes",
            "head_bytes")}

        connect(m, flipped(self.command), control.command)
        m.d.comb += [control.positions.eq(self.positions), control.write_idle.eq(self.write_idle),
                     self.retired.eq(control.retired), self.unit.eq(control.unit)]
        self._share_units(m)
        self._connect_memories(m)
        self._connect_norm(m)
        self._connect_heads(m)
        self._connect_residual(m)
        self._connect_select(m)
        self._connect_store(m)
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
        """Loads, and who reads sums, attention's results and channels."""
        channels, norm, table, load = self._channels, self._norm, self._heads.i_table, self.i_load
        m.d.comb += [
            channels.i_load.valid.eq(load.valid), channels.i_load.p.eq(load.p),
            norm.i_load.valid.eq(load.valid & channels.i_load.ready), norm.i_load.p.eq(load.p),
            load.ready.eq(channels.i_load.ready & norm.i_load.ready),
        ]
        m.d.sync += [
            table.valid.eq(load.valid & load.ready & (load.p.target == LoadTarget.ROPE)),
            table.p.index.eq(load.p.index >> _LANE_BITS),
            Value.cast(table.p.angles).eq(load.p.data),
        ]
        kind, row = self._kind, self._row
        add, heads, select, store = self._add, self._heads, self._select, self._store
        m.d.comb += [
            channels.gain.index.eq(Mux(kind.selecting, select.gain.index, norm.gain.index)),
            channels.gain_hold.eq(select.hold),
            norm.gain.word.eq(channels.gain.word), select.gain.word.eq(channels.gain.word),
        ]
        connect(m, self._tap.memory, channels.tap)
        connect(m, add.o_write, channels.i_residual)
        m.d.comb += [
            channels.residual.index.eq(Mux(kind.adding, add.memory.index, Mux(
                kind.storing, store.memory.index, norm.memory.index))),
            *(user.memory.word.eq(channels.residual.word) for user in (add, norm, store)),
        ]
        request = self.read_a.p
        m.d.comb += [
            # a norm that asks for its gate's sums asks for just these
            request.row.eq(row.index), request.accumulator.eq(row.accumulator), request.count.eq(row.count),
            self.read_a.valid.eq(Mux(kind.norming, norm.o_gate.valid, self._control.ask | store.o_sums.valid)),
            norm.o_gate.ready.eq(self.read_a.ready), self._control.ask_ready.eq(self.read_a.ready),
            store.o_sums.ready.eq(self.read_a.ready),
            self.sums_a.ready.eq((kind.norming & norm.i_gate.ready) | (kind.selecting & select.i.ready) | kind.adding
                                 | (kind.heading & heads.i_sums.ready) | store.i_sums.ready),
            norm.i_gate.valid.eq(self.sums_a.valid & kind.norming), norm.i_gate.p.eq(self.sums_a.p),
            add.i.valid.eq(self.sums_a.valid & kind.adding), add.i.p.eq(self.sums_a.p),
            heads.i_sums.valid.eq(self.sums_a.valid & kind.heading), heads.i_sums.p.eq(self.sums_a.p),
            select.i.valid.eq(self.sums_a.valid & kind.selecting), select.i.p.eq(self.sums_a.p),
            store.i_sums.valid.eq(self.sums_a.valid & kind.storing), store.i_sums.p.eq(self.sums_a.p),
        ]
        request, results = self.read_attention, self.attention
        m.d.comb += [
            request.valid.eq(norm.o_attention.valid | store.o_attention.valid),
            request.p.eq(Mux(kind.storing, store.o_attention.p, norm.o_attention.p)),
            *(user.o_attention.ready.eq(request.ready) for user in (norm, store)),
            results.ready.eq(~kind.storing | store.i_attention.ready),
            norm.i_attention.valid.eq(results.valid & kind.norming), norm.i_attention.p.eq(results.p),
            store.i_attention.valid.eq(results.valid & kind.storing), store.i_attention.p.eq(results.p),
        ]

    def _connect_norm(self, m: Module) -> None:
        norm, control = self._norm, self._control
        connect(m, norm.o_up, flipped(self.read_b))
        connect(m, flipped(self.sums_b), norm.i_up)
        connect(m, norm.o_unit, control.norm_unit)
        connect(m, norm.o_step, control.i_step)
        m.d.comb += [
            norm.command.eq(control.held), norm.row.eq(self._row), norm.counting.eq(control.counting),
            norm.start.eq(control.start_norm), control.norm_ready.eq(norm.ready),
            norm.exponent.eq(self.attention_exponent),
            self.zeros.eq(norm.zeros), self.activations.eq(norm.activations),
        ]
        _send(m, norm.o_linear, self.o_linear)
        _send(m, norm.o_head, self.o_head)

    def _connect_heads(self, m: Module) -> None:
        heads = self._heads
        _send(m, heads.o_query, self.o_query)
        _send(m, heads.o_query_scale, self.o_query_scale)
        target = heads.start.p.target
        m.d.comb += [
            heads.start.valid.eq(self._control.start_heads), self._control.heads_ready.eq(heads.start.ready),
            self._control.heads_busy.eq(heads.busy),
            heads.start.p.rotate.eq(self._kind.rotating),
            heads.start.p.cached.eq(self._kind.caching),
            heads.start.p.row.eq(self._row.index),
            heads.start.p.words.eq(self._dim >> _LANE_BITS),
            heads.start.p.table_base.eq(self._row.base),
            heads.start.p.scale.eq(self._row.step),
            target.token.eq(self._row.token), target.first.eq(self._row.first), target.last.eq(self._row.last),
            target.heads.eq(self._heads_of), *(target[name].eq(field) for name, field in self._cache_fields.items()),
        ]

    def _connect_residual(self, m: Module) -> None:
        """The addition's settings. Its tap serves the norm otherwise."""
        add, tap, norm, fields = self._add, self._tap, self._norm, self._add_fields
        m.d.comb += [
            add.settings.scale.eq(self._row.scale),
            add.settings.fraction_bits.eq(fields.fraction_bits),
            add.settings.tapped.eq(fields.tap),
            add.settings.base.eq(self._row.base),
            *command_exponents(add.settings.exponents, fields),
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

    def _connect_store(self, m: Module) -> None:
        """The store's settings; the burst former, which it has in turn with the heads."""
        store, former, kind, row, fields = self._store, self._former, self._kind, self._row, self._store_fields
        heads = self._heads.write
        m.d.comb += [
            store.start.eq(self._control.start_store), self._control.stored.eq(store.done),
            store.exponent.eq(self.attention_exponent), store.settings.row.eq(row.index),
            *(store.settings[name].eq(row[name]) for name in ("offset", "count", "base", "accumulator", "unit")),
            *(store.settings[name].eq(fields[name]) for name in ("source", "group_channels", "address", "steps")),
            former.i.beat.valid.eq(heads.beat.valid | store.write.beat.valid),
            former.i.beat.p.eq(Mux(kind.storing, store.write.beat.p, heads.beat.p)),
            *(user.room.eq(former.i.room) for user in (heads, store.write)),
            *(user.idle.eq(former.i.idle) for user in (heads, store.write)),
        ]
        connect(m, former.o, flipped(self.o_write))


def _send(m: Module, given, out) -> None:
    """What one always takes on to a stream that promises to."""
    m.d.comb += [out.valid.eq(given.valid), out.p.eq(given.p)]


def _any(bits) -> Value:
    return Cat(*bits).any()
