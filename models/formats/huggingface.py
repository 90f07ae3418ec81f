"""Hugging Face folders of ternary models: online masters, packed U8, 1bitLLM's names, Llama-shaped ones.

The layouts, as transformers 5.23 writes and reads them:

- Masters [out, in], bf16, fp16 or fp32, without scales: ternarised here as `AutoBitLinear` does online.
- Packed: U8 [out / 4, in] and `weight_scale` [1]; bits 2i, 2i + 1 of byte row r hold trit + 1 of output row
  i * (out / 4) + r. The scale multiplies with `linear_class` autobitlinear and divides with bitlinear, the default.
- Ternary already, where no quantisation is named: floats -s, 0 and s, with one s for a matrix, or one for each 128
  inputs of a row, which the embedding and the head may have too. Masters of one magnitude are such floats as well.
- 1bitLLM names the sub-norms `inner_attn_ln` and `ffn_layernorm`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.config import LINEARS, ModelConfig
from models.errors import ModelError, located
from models.formats.card import card_of_folder
from models.formats.huggingface_config import Storage, read_config
from models.formats.shards import Shards
from models.formats.source import (
    FloatLayer,
    FloatLinear,
    FloatModel,
    FloatRows,
    GroupedLinear,
    GroupedRows,
    LazyLayers,
    row_blocks,
)
from models.formats.ternary_floats import are_ternary, grouped_of_floats, ternary_of_floats
from models.formats.unconverted import first_kept
from models.ternary import quantise_ternary
from models.vocabulary import read_folder

__all__ = ["read_huggingface", "unpack_quarters"]

_LINEAR = {name: f"self_attn.{name}_proj" if name in ("q", "k", "v", "o") else f"mlp.{name}_proj" for name in LINEARS}
_GAINS = {"input": ("input_layernorm",), "post_attention": ("post_attention_layernorm",),
          "attn_sub": ("self_attn.attn_sub_norm", "self_attn.inner_attn_ln"),
          "ffn_sub": ("mlp.ffn_sub_norm", "mlp.ffn_layernorm"), "q": ("self_attn.q_norm",), "k": ("self_attn.k_norm",)}
_EMBEDDING, _HEAD, _FINAL = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"


def read_huggingface(folder: Path) -> FloatModel:
    """Open a folder; layers are read one by one as they are asked for.

    `ModelError` names file, tensor, what was expected and what was found.
    """
    shards = Shards(folder)
    config, storage = read_config(folder / "config.json", own_head=_HEAD in shards, sub_norms=any(
        f"model.layers.0.{name}.weight" in shards for kind in ("attn_sub", "ffn_sub") for name in _GAINS[kind]))
    layers = _Layers(shards, config, storage)
    shards.check(layers.shapes(), optional=(_HEAD,))
    layers.check_converted(folder / "config.json")
    text = read_folder(folder, config.vocab_size)
    shape = config.vocab_size, config.hidden_size
    embedding: FloatRows = shards.table(_EMBEDDING, *shape)
    head: FloatRows | None = shards.table(_HEAD, *shape) if _HEAD in shards else None
    if storage.ternary and layers.are_grouped():
        tables = [table for table in (embedding, None if config.tied_head else head) if table is not None]
        config = replace(config, grouped=True, grouped_tables=all(map(_ternary_table, tables)))
        layers.config = config
    if config.tied_head and head is not None:
        for start, rows in row_blocks(head):
            if not np.array_equal(rows, embedding[start:start + len(rows)]):
                raise shards.error(_HEAD, "expected the embedding, as tie_word_embeddings is true, found other values")
    if config.grouped_tables:
        embedding, head = _grouped(embedding), None if head is None else _grouped(head)
    return FloatModel(config, embedding, None if config.tied_head else head, shards.vector(_FINAL, config.hidden_size),
                      LazyLayers(config.layers, layers.read), text,
                      {"source": config.name, "format": "huggingface", "weights": layers.kind()}, shards.zeros,
                      card_of_folder(folder))


def unpack_quarters(packed: np.ndarray) -> np.ndarray:
    """packed: uint8 [out / 4, in], two bits a trit. Returns int8 [out, in]; the invalid code 3 gives 2."""
    return np.concatenate([(packed >> shift & 3).astype(np.int8) - 1 for shift in (0, 2, 4, 6)])


def _ternary_table(table: FloatRows) -> bool:
    return all(are_ternary(rows, grouped=True) for _, rows in row_blocks(table))


def _grouped(table: FloatRows) -> GroupedRows:
    return GroupedRows(table.shape, lambda start, stop: grouped_of_floats(table[start:stop]))


class _Layers:
    """Names and reads the tensors of each layer."""

    def __init__(self, shards: Shards, config: ModelConfig, storage: Storage):
        self.shards, self.config, self.storage = shards, config, storage

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """All tensors that a model of this config has, with their shapes as stored."""
        config, table = self.config, (self.config.vocab_size, self.config.hidden_size)
        yield from [(_EMBEDDING, table), (_FINAL, table[1:])] + [(_HEAD, table)] * (not config.tied_head)
        for index in range(config.layers):
            yield from ((self._gain(index, name), (size,)) for name, size in config.gain_sizes.items())
            for name, (outputs, inputs) in config.linear_shapes.items():
                weight = self._weight(index, name)
                self._check_storage(weight)
                if not self._packed(weight):
                    yield weight, (outputs, inputs)
                elif outputs % 4:
                    raise self.shards.error(weight, "expected a multiple of 4 outputs for packed weights, "
                                                    f"found {outputs}")
                else:
                    yield from [(weight, (outputs // 4, inputs)), (f"{weight}_scale", (1,))]

    def check_converted(self, config: Path) -> None:
        """`ModelError` where config.json, at `config`, says that a linear layer is not ternary."""
        names = [f"model.layers.{index}.{_LINEAR[name]}" for index in range(self.config.layers) for name in LINEARS]
        with located(f"{config}: modules_to_not_convert"):
            if kept := first_kept(self.storage.unconverted, names):
                raise ModelError(f"expected no linear layer of a block, found {kept[0]!r}, which keeps {kept[1]}")

    def are_grouped(self) -> bool:
        """Whether a matrix has several magnitudes, but one for each group of a row."""
        for index in range(self.config.layers):
            for name, shape in self.config.linear_shapes.items():
                values = self.shards.floats(self._weight(index, name), *shape)
                if not are_ternary(values, grouped=False):
                    return are_ternary(values, grouped=True)
            self.shards.release()
        return False

    def kind(self) -> str:
        """How the weights are stored, in words."""
        if self.storage.ternary:
            return "floats that are ternary"
        if not self._packed(self._weight(0, "q")):
            return "masters"
        return f"packed, the scale {'divides' if self.storage.scale_divides else 'multiplies'}"

    def read(self, index: int) -> FloatLayer:
        """One layer, ternarised or unpacked."""
        linears = {name: self._linear(self._weight(index, name), *shape)
                   for name, shape in self.config.linear_shapes.items()}
        gains = {name: self.shards.vector(self._gain(index, name), size)
                 for name, size in self.config.gain_sizes.items()}
        self.shards.release()
        return FloatLayer(linears, gains)

    def _weight(self, index: int, name: str) -> str:
        return f"model.layers.{index}.{_LINEAR[name]}.weight"

    def _gain(self, index: int, name: str) -> str:
        candidates = [f"model.layers.{index}.{stem}.weight" for stem in _GAINS[name]]
        return next((candidate for candidate in candidates if candidate in self.shards), candidates[0])

    def _packed(self, weight: str) -> bool:
        return weight in self.shards and self.shards.dtype(weight) == "U8"

    def _check_storage(self, weight: str) -> None:
        if weight in self.shards and self.storage.packed not in (None, self._packed(weight)):
            expected = "packed U8 weights" if self.storage.packed else "float masters"
            raise self.shards.error(weight, f"expected {expected}, as config.json says, "
                                            f"found {self.shards.dtype(weight)}")

    def _linear(self, name: str, outputs: int, inputs: int) -> FloatLinear | GroupedLinear:
        if not self._packed(name):
            masters = self.shards.floats(name, outputs, inputs)
            with located(f"{self.shards[name].path}: tensor {name}"):
                if self.config.grouped:
                    found = grouped_of_floats(masters)
                    self.shards.zeros.look(name, masters, found.signs)
                    return found
                # masters of an "online" model are averaged, whatever they are, as transformers does at each run
                named = self.storage.packed is not None
                if self.storage.ternary or (not named and are_ternary(masters, grouped=False) and masters.any()):
                    trits, scale = ternary_of_floats(masters)
                else:
                    trits, scale = quantise_ternary(masters)
            self.shards.zeros.look(name, masters, trits)
            return FloatLinear(trits, scale)
        packed = self.shards.stored(name, outputs // 4, inputs)
        trits = unpack_quarters(packed)
        if trits.max() > 1:
            raise self.shards.error(name, "expected two-bit codes 0 to 2, found 3")
        linear = FloatLinear.scaled(trits, self._scale(f"{name}_scale", empty=not (packed.any() and trits.any())))
        self.shards.zeros.look(name, packed, linear.trits)
        return linear

    def _scale(self, name: str, *, empty: bool) -> float:
        """empty: the weights are zeros alone, which may have a scale of 0 even where it divides."""
        value = float(self.shards.floats(name, 1)[0])
        if value < 0 or value == 0 and self.storage.scale_divides and not empty:
            raise self.shards.error(name, f"expected a positive scale, found {value}")
        return 1 / value if self.storage.scale_divides and value else value
