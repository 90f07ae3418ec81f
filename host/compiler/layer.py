"""The descriptors of a layer's steps for a group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from host.compiler.cuts import Cut, Share
from host.compiler.descriptor_list import Semaphore
from host.compiler.memory_map import cache_name
from host.compiler.pass_context import PassContext
from host.compiler.rows import Block, Group, Part, Piece
from host.compiler.stops import StopSteps, input_channels
from host.compiler.streams_ahead import Stream, StreamsAhead
from host.compiler.turns import Step, Turn
from models.errors import ModelError
from models.golden.model import TapPoint
from models.golden.scalar import log2_e_over_root, to_word
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import Activation, LoadTarget, NormSource, Opcode
from models.machine.layout import tile_count, weight_beats, weight_beats_used
from models.model import GroupedMatrix
from models.ternary_groups import GROUP

__all__ = ["LayerSteps", "layer_streams"]

_MATRICES = {Step.QKV: ("q", "k", "v"), Step.OUT: ("o",), Step.GATE_UP: ("gate", "up"), Step.DOWN: ("down",)}


class _Product(NamedTuple):
    """A matrix for some groups' rows; ends: which of them has all sums of its turn then."""

    name: str
    groups: tuple[int, ...]
    ends: bool


def _products(context: PassContext, turn: Turn, groups: Sequence[Group]) -> list[_Product]:
    """A turn's matrices in order. Of two groups side by side the first multiplies by gate, then both by up, streamed
    once for them, then the second by gate."""
    names, alone = _MATRICES.get(turn.step, ()), (turn.group,)
    partner = turn.group ^ 1
    batches = groups[turn.group].rows <= context.build.rows and context.build.shares_up(context.config)
    if turn.step == Step.GATE_UP and partner < len(groups) and batches:
        if partner > turn.group:
            return [_Product("gate", alone, ends=False)]
        return [_Product("up", (partner, turn.group), ends=True), _Product("gate", alone, ends=True)]
    # gate and up are read together
    return [_Product(name, alone, ends=turn.step == Step.QKV or name == names[-1]) for name in names]


def layer_streams(context: PassContext, turn: Turn, groups: Sequence[Group]) -> list[Stream]:
    """The streams of a turn's matrices."""
    found = []
    for product in _products(context, turn, groups):
        shape, grouped = (*context.config.linear_shapes[product.name], context.build), context.config.grouped
        beats = weight_beats(*shape, grouped=grouped)
        found.append(Stream(context.address(f"{turn.layer}.{product.name}"), beats,
                            beats - weight_beats_used(*shape, grouped=grouped)))
    return found


class LayerSteps:
    """Lists turns; those of a group come in the order of a layer's steps. parts: the sequences of all rows.

    The steps that a pass can be cut in have a front and a back, which are also listed one without the other.
    """

    def __init__(self, context: PassContext, streams: StreamsAhead, parts: tuple[Part, ...], groups: Sequence[Group]):
        self._context, self._streams, self._parts, self._groups = context, streams, parts, groups
        self._model, self._build, self._config = context.model, context.build, context.config
        self._list, self._address, self._norm = context.list, context.address, context.norm
        self._shapes = self._config.linear_shapes
        self._stops = StopSteps(context)
        self._uncut = {Step.QUERIES: self._queries, Step.KEYS: self._keys, Step.VALUES: self._values}
        self._additions = {Step.QKV: self._add_down, Step.GATE_UP: self._add_o, Step.END: self._end}
        self._norms = {Step.QKV: self._norm_qkv, Step.OUT: self._norm_out, Step.GATE_UP: self._norm_gate_up,
                       Step.DOWN: self._norm_down}
        self._angles_loaded = False

    def add(self, turn: Turn, share: Share = Share.WHOLE, cut: Cut | None = None) -> None:
        """List a turn of a group, or the front or the back of it at a cut."""
        group = self._groups[turn.group]
        if turn.step in self._uncut:
            self._uncut[turn.step](turn, group)
            return
        if share != Share.BACK and turn.step in self._additions:
            self._additions[turn.step](turn, group)
        if share == Share.FRONT:
            names = _MATRICES[Step.GATE_UP]
            self._stops.store(turn.step, group, gate=self._sums("gate", names), up=self._sums("up", names))
        elif turn.step == Step.END:
            if cut is not None and cut.residual:
                self._load_residual(group, signal=turn.group == len(self._groups) - 1)
        else:
            self._back(turn, group, cut)

    def _back(self, turn: Turn, group: Group, cut: Cut | None) -> None:
        """The norm and the matrices of a step, or what comes instead of the norm."""
        given = cut is not None and cut.inputs
        first = turn.step == Step.QKV and turn.layer == self._context.layers.start
        loads = first or (cut is not None and cut.residual)
        if loads:
            self._load_residual(group, signal=not given)
        if given:
            self._stops.load_inputs(group.first_row, group.rows, input_channels(self._config, turn.step))
        else:
            self._norms[turn.step](turn, group, (Semaphore.RESIDUAL_LOADED,) if loads else ())
        self._multiply(turn)

    def _load_residual(self, group: Group, *, signal: bool) -> None:
        """A group's rows of the residual, embeddings at first; the first group begins before the others' are there."""
        first = group.first_row * self._config.hidden_size
        self._list.add(Opcode.LOAD, signal=(Semaphore.RESIDUAL_LOADED,) * signal, target=LoadTarget.RESIDUAL,
                       address=self._address("residual_in") + first * 4, address_stride=0,
                       bytes=group.rows * self._config.hidden_size * 4, offset=first, sequence=0, row=0)

    def _load_angles(self) -> None:
        """Rotary vectors of all rows."""
        dim, first = self._config.head_dim, 0
        for n, part in enumerate(self._parts):
            last = n == len(self._parts) - 1
            self._list.add(Opcode.LOAD, signal=(Semaphore.ROPE_LOADED,) if last else (), target=LoadTarget.ROPE,
                           address=self._address("rope"), address_stride=dim * 2, bytes=part.rows * dim * 2,
                           offset=first * dim, sequence=part.sequence, row=0)
            first += part.rows

    def _multiply(self, turn: Turn) -> None:
        """The matrices of a step, one after another into the accumulators: they share their input."""
        names = _MATRICES[turn.step]
        for n, product in enumerate(_products(self._context, turn, self._groups)):
            outputs, inputs = self._shapes[product.name]
            padded = self._build.padded_outputs(outputs)
            rows = sum(self._groups[group].rows for group in product.groups)
            self._streams.use()
            self._list.add(Opcode.MATMUL, wait=() if n else (Semaphore.ACTIVATIONS_READY,),
                           signal=(Semaphore.SUMS_READY,) if product.ends else (),
                           tiles=inputs // GROUP if self._config.grouped else tile_count(inputs, self._build),
                           outputs=padded, grouped=int(self._config.grouped),
                           group_shift=self._shift(turn.layer, product.name),
                           accumulator=self._sums(product.name, names), rows=rows,
                           first_row=self._groups[product.groups[0]].first_row, batches=-(-rows // self._build.rows),
                           padding=padded - outputs)

    def _sums(self, name: str, names: tuple[str, ...]) -> int:
        """Accumulator word from which a matrix' sums lie, behind those of the ones before it in `names`."""
        before = names[:names.index(name)]
        return sum(-(-self._shapes[other][0] // self._build.outputs_per_step) for other in before)

    def _scale(self, layer: int, name: str) -> int:
        return int(self._model.layers[layer].linears[name].unit)

    def _shift(self, layer: int, name: str) -> int:
        matrix = self._model.layers[layer].linears[name]
        return matrix.shift if isinstance(matrix, GroupedMatrix) else 0

    def _add_down(self, turn: Turn, group: Group) -> None:
        """Onto the residual, what the layer before gives."""
        if turn.layer > self._context.layers.start:
            self._residual(turn.layer - 1, "down", TapPoint(turn.layer - 1, "residual"), group)

    def _norm_qkv(self, turn: Turn, group: Group, wait: tuple[Semaphore, ...]) -> None:
        layer = turn.layer
        self._norm(f"{layer}.gain.input", self._model.layers[layer].gains["input"], NormSource.RESIDUAL,
                   self._config.hidden_size, point=TapPoint(layer, "qkv"), wait=wait, **_rows_of(group))

    def _queries(self, turn: Turn, group: Group) -> None:
        first, self._angles_loaded = not self._angles_loaded, True
        if first:
            self._load_angles()
        waits, reads = [Semaphore.SUMS_READY, *((Semaphore.ROPE_LOADED,) if first else ())], []
        normed = self._context.head_norm_fields(turn.layer, "q", waits, reads)
        self._list.add(Opcode.QUERY, wait=waits, reads=reads, heads=self._config.heads, dim=self._config.head_dim,
                       accumulator=self._sums("q", _MATRICES[Step.QKV]), scale=self._scale(turn.layer, "q"),
                       **_rows_of(group), **normed)

    def _keys(self, turn: Turn, group: Group) -> None:
        """All keys of the group; where no other group's product hides them, the first piece's alone."""
        waits: tuple[Semaphore, ...] = (Semaphore.SUMS_READY,)
        for piece in self._early_keys(group):
            self._key(turn.layer, piece, waits)
            waits = ()

    def _early_keys(self, group: Group) -> list[Piece]:
        """Those that `_keys` lists; `_values` lists the others."""
        pieces = [piece for block in group.blocks for piece in block.pieces]
        return pieces if len(self._groups) > 1 else pieces[:1]

    def _values(self, turn: Turn, group: Group) -> None:
        """Piece by piece values and attention, one's attention beside the next one's values."""
        early = self._early_keys(group)
        waits: tuple[Semaphore, ...] = (Semaphore.SUMS_READY,)
        for block in group.blocks:
            for piece in block.pieces:
                if piece not in early:
                    self._key(turn.layer, piece, ())
                self._value(turn.layer, piece, waits)
                self._attend(turn.layer, piece, last=piece == block.pieces[-1])
                waits = ()

    def _key(self, layer: int, piece: Piece, waits: tuple[Semaphore, ...]) -> None:
        start, kv = self._cache_start(layer, piece), self._context.memory.kv
        waiting, reads = list(waits), []
        normed = self._context.head_norm_fields(layer, "k", waiting, reads)
        self._list.add(Opcode.KEY, wait=waiting, reads=reads, accumulator=self._sums("k", _MATRICES[Step.QKV]),
                       scale=self._scale(layer, "k"), address=start + kv.keys, address_stride=kv.row_bytes,
                       block_bytes=kv.block_bytes, region_bytes=kv.chunk_bytes, scale_address=start + kv.key_scales,
                       **self._written(piece), **normed)

    def _value(self, layer: int, piece: Piece, waits: tuple[Semaphore, ...]) -> None:
        start, kv = self._cache_start(layer, piece), self._context.memory.kv
        self._list.add(Opcode.VALUE, wait=waits, signal=(Semaphore.CACHE_READY,),
                       accumulator=self._sums("v", _MATRICES[Step.QKV]), scale=self._scale(layer, "v"),
                       address=start + kv.values, address_stride=kv.value_stride,
                       block_bytes=BLOCK_TOKENS * kv.value_stride, region_bytes=kv.region_bytes,
                       scale_address=start + kv.value_scales, **self._written(piece))

    def _attend(self, layer: int, piece: Piece, *, last: bool) -> None:
        """last: of a block's pieces."""
        config, start, kv = self._config, self._cache_start(layer, piece), self._context.memory.kv
        self._list.add(Opcode.ATTEND, wait=(Semaphore.CACHE_READY,),
                       signal=(Semaphore.ATTENTION_READY,) if last else (),
                       heads=config.heads, kv_heads=config.kv_heads, key_scales=start + kv.key_scales,
                       value_scales=start + kv.value_scales, keys=start + kv.keys, values=start + kv.values,
                       block_bytes=kv.block_bytes, region_bytes=kv.region_bytes, row_bytes=kv.row_bytes,
                       score_constant=int(to_word(log2_e_over_root(config.head_dim))), **self._cached(piece))

    def _cache_start(self, layer: int, piece: Piece) -> int:
        return self._address(cache_name(layer, piece.sequence))

    def _cached(self, piece: Piece) -> dict[str, int]:
        """What all that touches a piece's cache is told."""
        return {"dim": self._config.head_dim, "head_bytes": self._context.memory.kv.head_bytes, **piece._asdict()}

    def _written(self, piece: Piece) -> dict[str, int]:
        return {"heads": self._config.kv_heads, "scale_block_bytes": self._context.memory.kv.scale_block_bytes,
                **self._cached(piece)}

    def _norm_out(self, turn: Turn, group: Group, _: tuple[Semaphore, ...]) -> None:
        config, layer = self._config, turn.layer
        for block in group.blocks:
            self._norm(f"{layer}.gain.attn_sub", self._model.layers[layer].gains.get("attn_sub"), NormSource.ATTENTION,
                       config.heads * config.head_dim, point=TapPoint(layer, "o"), wait=(Semaphore.ATTENTION_READY,),
                       signal=(Semaphore.ACTIVATIONS_READY,) if block == group.blocks[-1] else (),
                       group_channels=config.heads // config.kv_heads * config.head_dim, **_rows_of(block))

    def _add_o(self, turn: Turn, group: Group) -> None:
        self._residual(turn.layer, "o", None, group)

    def _norm_gate_up(self, turn: Turn, group: Group, _: tuple[Semaphore, ...]) -> None:
        layer = turn.layer
        self._norm(f"{layer}.gain.post_attention", self._model.layers[layer].gains["post_attention"],
                   NormSource.RESIDUAL, self._config.hidden_size, point=TapPoint(layer, "gate_up"),
                   **_rows_of(group))

    def _norm_down(self, turn: Turn, group: Group, _: tuple[Semaphore, ...]) -> None:
        config, layer, names = self._config, turn.layer, _MATRICES[Step.GATE_UP]
        activation = {"relu2": Activation.RELU2, "silu": Activation.SILU}.get(config.activation)
        if activation is None:
            raise ModelError(f"no device computes {config.activation}: it is a stage's")
        self._norm(f"{layer}.gain.ffn_sub", self._model.layers[layer].gains.get("ffn_sub"), NormSource.GATED,
                   config.ffn_size, point=TapPoint(layer, "down"), wait=(Semaphore.SUMS_READY,), activation=activation,
                   gate_accumulator=self._sums("gate", names), up_accumulator=self._sums("up", names),
                   gate_scale=self._scale(layer, "gate"), up_scale=self._scale(layer, "up"), **_rows_of(group))

    def _end(self, turn: Turn, group: Group) -> None:
        self._residual(turn.layer, "down", TapPoint(turn.layer, "residual"), group)

    def _residual(self, layer: int, name: str, point: TapPoint | None, group: Group) -> None:
        waits: list[Semaphore] = [Semaphore.SUMS_READY]
        reads: list[LoadTarget] = []
        tap_fields = self._context.tap_fields(point, waits, reads) | self._context.loop_fields(point)
        self._list.add(Opcode.RESIDUAL, wait=waits, reads=reads, count=self._config.hidden_size,
                       fraction_bits=self._model.residual_fraction_bits, scale=self._scale(layer, name), accumulator=0,
                       **_rows_of(group), **tap_fields)


def _rows_of(rows: Group | Block) -> dict[str, int]:
    return {"first_row": rows.first_row, "rows": rows.rows}
