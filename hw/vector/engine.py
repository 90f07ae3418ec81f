"""The vector engine: norms, rotations, quantisers, residual additions, one row of a command at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import ScalarUnit
from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.attention.query_memory import QUERY_SCALE, query_part
from hw.command import COMMAND_BITS, POSITIONS, command_layout, shared_field
from hw.linear.activations import activation_layout
from hw.linear.reader import READ_REQUEST, sum_word
from hw.memory.burst_former import BurstFormer
from hw.memory.shapes import ID_BITS, LIST_PLACE, LOAD_WORD, WRITE_BEAT
from hw.vector.channel_memories import ChannelMemories
from hw.vector.head_path import HeadPath
from hw.vector.load_pieces import LoadPieces
from hw.vector.norm_path import NormPath
from hw.vector.rescale import Rescale
from hw.vector.residual import ResidualAdd
from hw.vector.row_control import RowControl
from hw.vector.select import Select
from hw.vector.store import Store
from hw.vector.tap import command_exponents
from hw.vector.turns import share_attention, share_channels, share_former, share_scalar, share_sums, share_words
from hw.vector.word_tap import WordTap
from models.machine.build import BuildParameters
from models.machine.descriptor import LoadTarget, Opcode

__all__ = ["VectorEngine"]


class VectorEngine(wiring.Component):
    """NORM, QUERY, KEY, VALUE, RESIDUAL, SELECT and STORE of rows first_row + r, r < rows, build.lanes channels of a
    row a cycle.

    Contract, by golden function (docs/numerics.md):
    NORM: `norm_quant` of the residual stream, of attention's results or of `gated_product`, to `o_linear`
    (levels 127) or, with levels16, as row r to `o_head`; `unit[row]` becomes the value of one unit of the result.
    QUERY, KEY: `rope`, then `head_quant`; VALUE: `head_quant`; the sums' unit is unit[row] * scale. Queries go to
    `o_query` and `o_query_scale`, keys and values to the cache (`KVWriter`), as token positions[sequence] + token + r.
    RESIDUAL: `residual_add` with its tap or loop into the residual memory; the sums' unit is unit[row] * scale.
    SELECT: `shortlist`, piece by piece (`hw.vector.select`), into the list of row first_row + r, from which `read_list`
    -> `listed` takes ids, any time no SELECT of that row is under way.
    STORE: a row's `count` int32 values to address + r * count * 4, the step of those that have one to steps + r * 16
    (docs/program.md, "Stops").
    Counts of channels are multiples of 4 but for SELECT's, dim one of 8.

    Memories: residual (slots * hidden_max channels, row r from r * count on), gain and tap (inputs_max channels),
    rotary table (slots * head_dim_max angles, row r from r * dim on), and unit; `i_load` fills them and sends loaded
    inputs on, at most L channels a cycle, but for residual values while RESIDUAL writes and for inputs while a norm
    sends its own. All but unit outlast a reset.
    Sums are read through `read_a`/`sums_a` and, for up, `read_b`/`sums_b`; attention's results through
    `read_attention`/`attention`, whose unit is 2**attention_exponent, steady while they come.
    `o_linear`, `o_head`, `o_query` and `o_query_scale` must be ready always.
    Events: `saturations`, how many channels a residual addition clipped in a cycle; `activations` and `zeros`, how many
    int8 values a norm's row has and how many of them are 0, once it stands: what a norm sends twice counts once.

    `command` is taken when idle, with rows and count, or heads and dim, at least 1; `retired` pulses
    when results are delivered and `write_idle` says that written beats are answered (it falls the
    cycle after a beat is taken). `positions` hold still during a command. Other opcodes retire without effect.

    Cycles of a row of n channels, L = lanes, about: NORM 2 n / L + 90, with rms 160; with a tap n / L + 100 more, with
    both another n / L; RESIDUAL n / L + 30, with a tap 50, with a loop 2 n / L + 100; QUERY, KEY, VALUE heads *
    max(dim / L + 1, 25) + 2 dim / L + 93; SELECT n / L + 20, with `begin` k more, and what the entries take that enter
    the list; STORE n / L + 25.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build, self._lane_bits = build, exact_log2(build.lanes)
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "positions": In(POSITIONS),
            "i_load": In(stream.Signature(LOAD_WORD)),
            "read_a": Out(stream.Signature(READ_REQUEST)),
            "sums_a": In(stream.Signature(sum_word(build.lanes))),
            "read_b": Out(stream.Signature(READ_REQUEST)),
            "sums_b": In(stream.Signature(sum_word(build.lanes))),
            "read_attention": Out(stream.Signature(OUTPUT_REQUEST)),
            "attention": In(stream.Signature(output_word(build.lanes))),
            "attention_exponent": In(SCALAR["e"].shape),
            "read_list": In(stream.Signature(LIST_PLACE)),
            "listed": Out(stream.Signature(ID_BITS)),
            "o_linear": Out(stream.Signature(activation_layout(8, build.lanes))),
            "o_head": Out(stream.Signature(activation_layout(16, build.lanes))),
            "o_query": Out(stream.Signature(query_part(build.lanes))),
            "o_query_scale": Out(stream.Signature(QUERY_SCALE)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "write_idle": In(1),
            "unit": Out(data.ArrayLayout(SCALAR, build.slots)),
            "saturations": Out(range(build.lanes + 1)),
            "zeros": Out(16),
            "activations": Out(16),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build, lanes = self._build, self._build.lanes
        m.submodules.load = load = LoadPieces(lanes)
        m.submodules.channels = channels = ChannelMemories(
            build.slots * -(-build.hidden_max // lanes), build.inputs_max, lanes)
        m.submodules.rescale = rescale = Rescale(lanes)
        m.submodules.tap = tap = WordTap(lanes)
        m.submodules.norm = norm = NormPath(lanes)
        m.submodules.heads = heads = HeadPath(build)
        m.submodules.add = add = ResidualAdd(lanes)
        m.submodules.select = select = Select(build.slots, lanes)
        m.submodules.store = store = Store(lanes)
        m.submodules.former = former = BurstFormer()
        m.submodules.scalar = scalar = ScalarUnit()
        m.submodules.control = control = RowControl(build)
        kind, row = control.kind, control.row
        connect(m, flipped(self.command), control.command)
        m.d.comb += [control.positions.eq(self.positions), control.write_idle.eq(self.write_idle),
                     self.retired.eq(control.retired), self.unit.eq(control.unit)]

        share_scalar(m, scalar, (control.scalar, norm.scalar, heads.scalar, add.scalar))
        share_words(m, rescale, ((norm.rescale, kind.norming), (heads.rescale, kind.heading),
                                 (add.rescale, kind.adding)))
        share_words(m, tap, ((norm.tap, kind.norming), (add.tap, kind.adding)))
        connect(m, tap.memory, channels.tap)
        m.d.comb += add.products.eq(tap.products)
        m.d.sync += tap.settings.eq(Mux(kind.adding, Value.cast(add.tap.settings), Value.cast(norm.tap.settings)))
        share_channels(m, channels, kind, norm=norm, add=add, select=select, store=store)
        share_sums(m, self.read_a, self.sums_a, kind, row, control=control, norm=norm, heads=heads, add=add,
                   select=select, store=store)
        share_attention(m, self.read_attention, self.attention, kind, norm=norm, store=store)
        share_former(m, former, kind, heads=heads, store=store)
        connect(m, former.o, flipped(self.o_write))

        connect(m, flipped(self.i_load), load.i)
        self._load(m, load.o, channels, norm, heads)
        self._connect_norm(m, norm, control)
        self._connect_heads(m, heads, control)
        self._connect_residual(m, add, control)
        self._connect_select(m, select, control)
        self._connect_store(m, store, control)
        return m

    def _load(self, m: Module, load: wiring.PureInterface, channels: ChannelMemories, norm: NormPath,
              heads: HeadPath) -> None:
        """What LOAD brings to the memories that take it."""
        table = heads.i_table
        m.d.comb += [
            channels.i_load.valid.eq(load.valid), channels.i_load.p.eq(load.p),
            norm.i_load.valid.eq(load.valid & channels.i_load.ready), norm.i_load.p.eq(load.p),
            load.ready.eq(channels.i_load.ready & norm.i_load.ready),
        ]
        m.d.sync += [
            table.valid.eq(load.valid & load.ready & (load.p.target == LoadTarget.ROPE)),
            table.p.index.eq(load.p.index >> self._lane_bits),
            Value.cast(table.p.angles).eq(load.p.data),
        ]

    def _connect_norm(self, m: Module, norm: NormPath, control: RowControl) -> None:
        connect(m, norm.o_up, flipped(self.read_b))
        connect(m, flipped(self.sums_b), norm.i_up)
        connect(m, norm.o_unit, control.norm_unit)
        connect(m, norm.o_step, control.i_step)
        m.d.comb += [
            norm.command.eq(control.held), norm.row.eq(control.row), norm.counting.eq(control.counting),
            norm.start.eq(control.start_norm), control.norm_ready.eq(norm.ready),
            norm.exponent.eq(self.attention_exponent),
            self.zeros.eq(norm.zeros), self.activations.eq(norm.activations),
        ]
        _send(m, norm.o_linear, self.o_linear)
        _send(m, norm.o_head, self.o_head)

    def _connect_heads(self, m: Module, heads: HeadPath, control: RowControl) -> None:
        every, cached = (Opcode.QUERY, Opcode.KEY, Opcode.VALUE), (Opcode.KEY, Opcode.VALUE)
        count, dim = (shared_field(control.held, every, name) for name in ("heads", "dim"))
        kind, row, start = control.kind, control.row, heads.start
        _send(m, heads.o_query, self.o_query)
        _send(m, heads.o_query_scale, self.o_query_scale)
        target = start.p.target
        m.d.comb += [
            start.valid.eq(control.start_heads), control.heads_ready.eq(start.ready), control.heads_busy.eq(heads.busy),
            start.p.rotate.eq(kind.rotating), start.p.cached.eq(kind.caching), start.p.row.eq(row.index),
            start.p.words.eq(dim >> self._lane_bits), start.p.table_base.eq(row.base), start.p.scale.eq(row.step),
            *(target[name].eq(row[name]) for name in ("token", "first", "last")),
            target.heads.eq(count),
            *(target[name].eq(shared_field(control.held, cached, name)) for name in (
                "address", "address_stride", "block_bytes", "region_bytes", "scale_address", "scale_block_bytes",
                "head_bytes")),
        ]

    def _connect_residual(self, m: Module, add: ResidualAdd, control: RowControl) -> None:
        settings, fields = add.settings, data.View(command_layout(Opcode.RESIDUAL), control.held)
        m.d.comb += [
            settings.scale.eq(control.row.scale), settings.base.eq(control.row.base),
            settings.fraction_bits.eq(fields.fraction_bits), settings.tapped.eq(fields.tap),
            *command_exponents(settings.exponents, fields),
            settings.loop.acts.eq(fields.loop), settings.loop.setpoint.eq(fields.setpoint),
            settings.loop.words.eq(control.row.count >> self._lane_bits),
            self.saturations.eq(add.saturations), control.added.eq(add.done),
        ]

    def _connect_select(self, m: Module, select: Select, control: RowControl) -> None:
        settings, fields = select.settings, data.View(command_layout(Opcode.SELECT), control.held)
        m.d.comb += [select.start.eq(control.start_select), control.selected.eq(select.done),
                     settings.row.eq(control.row.index),
                     *(settings[name].eq(fields[name]) for name in ("count", "first_id", "k", "begin"))]
        connect(m, flipped(self.read_list), select.read)
        connect(m, select.o, flipped(self.listed))

    def _connect_store(self, m: Module, store: Store, control: RowControl) -> None:
        settings, row, fields = store.settings, control.row, data.View(command_layout(Opcode.STORE), control.held)
        m.d.comb += [
            store.start.eq(control.start_store), control.stored.eq(store.done),
            store.exponent.eq(self.attention_exponent), settings.row.eq(row.index),
            *(settings[name].eq(row[name]) for name in ("offset", "count", "base", "accumulator", "unit")),
            *(settings[name].eq(fields[name]) for name in ("source", "group_channels", "address", "steps")),
        ]


def _send(m: Module, given: wiring.PureInterface, out: wiring.PureInterface) -> None:
    """What one always takes on to a stream that promises to."""
    m.d.comb += [out.valid.eq(given.valid), out.p.eq(given.p)]
