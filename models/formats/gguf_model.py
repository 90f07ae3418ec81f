"""GGUF files of ternary models: blocks of trits, I2_S, or floats that are ternary already."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType

from models.config import ModelConfig
from models.errors import ModelError, located
from models.formats.card import card_of_gguf
from models.formats.gguf_blocks import BLOCKS, TABLES, grouped_of_blocks, several_scales, ternary_of_blocks, uniform
from models.formats.gguf_config import GgufMetadata
from models.formats.gguf_file import I2_S, PQ2_0, PTQ1_0, Q2_0, GgufFile, type_name
from models.formats.gguf_i2_s import I2_S_WIDTH, ROWS, find_width, i2_s_codes, unpack_i2_s
from models.formats.gguf_types import FLOATS, float_rows
from models.formats.source import (
    FloatLayer,
    FloatLinear,
    FloatModel,
    FloatRows,
    GroupedLinear,
    GroupedRows,
    LazyLayers,
    LazyRows,
)
from models.formats.ternary_floats import ternary_of_floats
from models.formats.zeros import ZeroTensors
from models.ternary_groups import GROUP
from models.vocabulary import read_gguf as read_text

__all__ = ["read_gguf"]

_LINEAR = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up",
           "down": "ffn_down"}
_GAIN = {"input": "attn_norm", "post_attention": "ffn_norm", "attn_sub": "attn_sub_norm", "ffn_sub": "ffn_sub_norm",
         "q": "attn_q_norm", "k": "attn_k_norm"}
_EMBEDDING, _HEAD, _FINAL, _ROPE = "token_embd.weight", "output.weight", "output_norm.weight", "rope_freqs.weight"
_KNOWN = (GGMLQuantizationType.TQ1_0, GGMLQuantizationType.TQ2_0, Q2_0, PQ2_0, PTQ1_0, I2_S)
_TILES = (38, 39)  # TL1, TL2


def read_gguf(path: Path, *, activation: str | None = None) -> FloatModel:
    """Open a GGUF file; layers and rows are read as they are asked for.

    activation: "relu2" or "silu" for files that do not tell. `ModelError` names file, tensor or key, what was
    expected and what was found.
    """
    file = GgufFile(path)
    metadata = GgufMetadata(path, file.fields)
    if _EMBEDDING not in file:
        raise file.error(_EMBEDDING, "is missing")
    sub_norms = metadata.sub_norms or any(f"blk.0.{_GAIN[name]}.weight" in file for name in ("attn_sub", "ffn_sub"))
    tables = [file[name].type for name in (_EMBEDDING, _HEAD) if name in file]
    config = metadata.config(vocab_size=file[_EMBEDDING].shape[0], tied_head=_HEAD not in file, sub_norms=sub_norms,
                             activation=activation, grouped=several_scales(file, "blk."),
                             grouped_tables=all(number in TABLES for number in tables))
    tensors = _Tensors(file, config, metadata)
    tensors.check_names()
    shape = config.vocab_size, config.hidden_size
    assumed = [None if activation else metadata.assumed_activation(config), tensors.assumed_layout()]
    provenance: dict[str, object] = {"source": config.name, "format": "gguf", "weights": tensors.kind()}
    if any(assumed):
        provenance["assumed"] = [what for what in assumed if what]
    text = read_text(metadata.tokenizer, config.vocab_size, str(path), name=str(file.fields.get("general.name")))
    return FloatModel(config, tensors.rows(_EMBEDDING, *shape),
                      None if config.tied_head else tensors.rows(_HEAD, *shape),
                      tensors.vector(_FINAL, config.hidden_size), LazyLayers(config.layers, tensors.layer),
                      text, provenance, tensors.zeros, card_of_gguf(file.fields))


class _Tensors:
    """Reads the tensors of one file."""

    def __init__(self, file: GgufFile, config: ModelConfig, metadata: GgufMetadata):
        self.file, self.config, self.metadata = file, config, metadata
        self.zeros = ZeroTensors()

    def check_names(self) -> None:
        """All tensors of the config are there and no unknown one: what nobody reads would change the model."""
        known = set()
        for name, shape in self._shapes():  # a file that claims a billion layers, or channels, ends here
            if name not in self.file:
                raise self.file.error(name, "is missing")
            self._check_shape(name, *shape)
            known.add(name)
        scales = {_scale(name) for name in known if name.endswith(tuple(f"{x}.weight" for x in _LINEAR.values()))}
        for name in sorted(self.file.keys() - known - scales):
            if name == _ROPE and (self.vector(_ROPE, self.config.head_dim // 2) == 1).all():
                continue
            found = {_ROPE: "factors of a RoPE scaling"}.get(
                name, "a bias" if name.endswith(".bias") else "an unknown tensor")
            raise self.file.error(name, f"expected the tensors of a ternary decoder without biases, found {found}")

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        config, table = self.config, (self.config.vocab_size, self.config.hidden_size)
        yield from [(_EMBEDDING, table), (_FINAL, table[1:])] + [(_HEAD, table)] * (not config.tied_head)
        for index in range(config.layers):
            yield from ((f"blk.{index}.{_GAIN[name]}.weight", (size,)) for name, size in config.gain_sizes.items())
            yield from ((_weight(index, name), shape) for name, shape in config.linear_shapes.items())

    def kind(self) -> str:
        """How the weights are stored, in words."""
        number = self.file[_weight(0, "q")].type
        if number != I2_S:
            return type_name(number)
        return f"I2_S, {'four rows' if self._width == ROWS else f'{4 * self._width} values'} to a block"

    def assumed_layout(self) -> str | None:
        """What was assumed of I2_S tensors, in words."""
        if self._found_width is not None or all(tensor.type != I2_S for tensor in self.file.values()):
            return None
        return (f"I2_S in blocks of {4 * I2_S_WIDTH} values, as builds for x86 write it, as the weights do not tell "
                f"({self.metadata.producer})")

    @property
    def _width(self) -> int:
        return I2_S_WIDTH if self._found_width is None else self._found_width

    def layer(self, index: int) -> FloatLayer:
        """One layer, unpacked."""
        linears = {name: self._linear(_weight(index, name), name, *shape)
                   for name, shape in self.config.linear_shapes.items()}
        gains = {name: self.vector(f"blk.{index}.{_GAIN[name]}.weight", size)
                 for name, size in self.config.gain_sizes.items()}
        self.file.release()
        return FloatLayer(linears, gains)

    def _linear(self, tensor: str, name: str, outputs: int, inputs: int) -> FloatLinear | GroupedLinear:
        number, shape = self.file[tensor].type, (outputs, inputs)
        if number in BLOCKS and not uniform(self.file.stored(tensor), number):
            return self._grouped_linear(tensor, name, shape)
        with located(f"{self.file.path}: tensor {tensor}"):
            if number == I2_S:
                trits, scale = unpack_i2_s(self.file.stored(tensor), shape, self._width)
            elif number in BLOCKS:
                trits, scale = ternary_of_blocks(self.file.stored(tensor), number, shape)
            elif number in FLOATS:
                trits, scale = ternary_of_floats(float_rows(self.file.stored(tensor), number, inputs))
            else:
                raise ModelError(self._refused(number))
        scale *= self._factor(_scale(tensor))
        if not 0 <= scale < math.inf:
            raise self.file.error(tensor, f"expected a positive scale, found {scale}")
        if name in ("q", "k") and self.metadata.interleaved:
            trits = _uninterleaved(trits, self.config.head_dim)
        linear, stored = FloatLinear.scaled(trits, scale), self.file.stored(tensor)
        self.zeros.look(tensor, i2_s_codes(stored) if number == I2_S else stored, linear.trits)
        if self.config.grouped:
            return GroupedLinear(linear.trits, np.full((outputs, inputs // GROUP), linear.scale, np.float32))
        return linear

    def _grouped_linear(self, tensor: str, name: str, shape: tuple[int, int]) -> GroupedLinear:
        stored = self.file.stored(tensor)
        with located(f"{self.file.path}: tensor {tensor}"):
            linear = grouped_of_blocks(stored, self.file[tensor].type, shape)
        factor = self._factor(_scale(tensor))
        if not 0 < factor < math.inf:
            raise self.file.error(tensor, f"expected a positive scale, found {factor}")
        trits, scales = linear.signs, linear.scales * np.float32(factor)
        if name in ("q", "k") and self.metadata.interleaved:
            trits, scales = (_uninterleaved(rows, self.config.head_dim) for rows in (trits, scales))
        self.zeros.look(tensor, stored, trits)
        return GroupedLinear(trits, scales)

    def _refused(self, number: int) -> str:
        if number in _TILES:
            return (f"expected a layout of its own values, found {type_name(number)}, tiles for one kernel of "
                    f"bitnet.cpp ({self.metadata.producer}): convert the original checkpoint, or an I2_S file")
        return (f"expected {', '.join(map(type_name, _KNOWN))} or ternary floats, found {type_name(number)} "
                f"({self.metadata.producer})")

    def _factor(self, name: str) -> float:
        """A scale beside the weights, as some converters write it."""
        return float(self.vector(name, 1)[0]) if name in self.file else 1.0

    @cached_property
    def _found_width(self) -> int | None:
        """The file's I2_S layout, from the feed-forward neurons of the first layer that has different ones."""
        for index in range(self.config.layers):
            names = [_weight(index, name) for name in ("up", "down")]
            if any(self.file[name].type != I2_S for name in names):
                return None
            up, down = map(self.file.stored, names)
            if all(np.ptp(i2_s_codes(data)) for data in (up, down)):
                return find_width(up, down, self.config.hidden_size, self.config.ffn_size)
        return None

    def rows(self, name: str, count: int, width: int) -> FloatRows:
        """A table of floats, read by rows."""
        number = self.file[name].type
        data = self.file.stored(name)
        if number == I2_S or data.size % count:
            raise self.file.error(name, f"expected rows of floats, found {type_name(number)}")
        data = data.reshape(count, -1)
        if self.config.grouped_tables:
            return GroupedRows((count, width), lambda start, stop: self._parts(name, number, data, start, stop))

        def read(start: int, stop: int) -> np.ndarray:
            with located(f"{self.file.path}: tensor {name}"):
                values = float_rows(data[start:stop].reshape(-1), number, width)
                self.file.release()
                if not np.isfinite(values).all():
                    raise ModelError("expected finite numbers, found NaN or infinity")
            return self.zeros.look(name, values)

        return LazyRows((count, width), read)

    def _parts(self, name: str, number: int, data: np.ndarray, start: int, stop: int) -> GroupedLinear:
        """Rows of a ternary table."""
        with located(f"{self.file.path}: tensor {name}"):
            width = self.config.hidden_size
            rows = grouped_of_blocks(data[start:stop].reshape(-1), number, (max(0, stop - start), width))
        self.file.release()
        self.zeros.look(name, rows.signs)
        return rows

    def vector(self, name: str, size: int) -> np.ndarray:
        """A vector of floats."""
        self._check_shape(name, size)
        return self._one_row(name, size)

    def _one_row(self, name: str, size: int) -> np.ndarray:
        with located(f"{self.file.path}: tensor {name}"):
            values = float_rows(self.file.stored(name), self.file[name].type, size)[0]
            if not np.isfinite(values).all():
                raise ModelError("expected finite numbers, found NaN or infinity")
        return self.zeros.look(name, values)

    def _check_shape(self, name: str, *shape: int) -> None:
        if (found := self.file[name].shape) != shape:
            raise self.file.error(name, f"expected shape {list(shape)}, found {list(found)}")


def _weight(index: int, name: str) -> str:
    return f"blk.{index}.{_LINEAR[name]}.weight"


def _scale(weight: str) -> str:
    return weight.removesuffix("weight") + "scale"


def _uninterleaved(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of each head back from pairs of neighbours (2i, 2i + 1) to pairs (i, i + head_dim / 2)."""
    return rows.reshape(-1, head_dim // 2, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)
