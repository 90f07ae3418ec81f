"""Metadata of a GGUF file: the model's shape, and how its producer means the tensors.

What a file does not say, the runtimes decide by its architecture (llama.cpp's and bitnet.cpp's sources):

- `llama` rotates neighbouring channels, so converters interleave the rows of q and k; the BitNet architectures
  (`bitnet`, `bitnet-25`, `bitnet-b1.58`) rotate channel i with i + head_dim / 2, and keep the rows.
- `qwen3` keeps the rows too, and has RMSNorm over each head of q and k.
- `llama` and `qwen3` have SiLU. The BitNet architectures have either; few files name it (`hidden_activation`). Without
  the name two families are known: 1bitLLM's models have SiLU, a key head for every query head and θ = 10,000,
  Microsoft's 2B-4T has ReLU², shared key heads and θ = 500,000. Of what fits neither, `bitnet-25` and
  `bitnet-b1.58` are taken for Microsoft's, and `bitnet` must be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np

from models.config import ModelConfig
from models.errors import ModelError, located
from models.formats.naming import chosen_name, source_name

__all__ = ["ARCHITECTURES", "GgufMetadata"]

_BITNET = ("bitnet", "bitnet-25", "bitnet-b1.58")
ARCHITECTURES = ("llama", *_BITNET, "qwen3")
"""Values of `general.architecture` that are read."""

_NOT_COMPUTED = "which the machine does not compute"
_FOREIGN = {
    **dict.fromkeys(("qwen35", "qwen35moe", "qwen3next", "falcon-h1", "granitehybrid", "nemotron_h", "jamba", "lfm2",
                     "kimi-linear", "plamo2"), f"hybrid attention with linear layers, {_NOT_COMPUTED}"),
    **dict.fromkeys(("bert", "nomic-bert", "modern-bert", "neo-bert", "gemma-embedding", "llama-embed"),
                    "an embedding model, which gives no logits"),
    **dict.fromkeys(("qwen3moe", "qwen2moe", "olmoe"), f"a mixture of experts, {_NOT_COMPUTED}"),
    **dict.fromkeys(("mamba", "mamba2", "rwkv6", "rwkv7"), f"a recurrence in place of attention, {_NOT_COMPUTED}"),
    **dict.fromkeys(("minicpm", "minicpm3"), f"scaled embeddings, residuals and logits, {_NOT_COMPUTED}"),
    **dict.fromkeys(("gemma2", "gemma3", "gemma3n", "gemma4"), f"sliding windows and further norms, {_NOT_COMPUTED}")}
"""Others that ternary models have, and what they need."""

_ACTIVATIONS = {"silu": "silu", "swish": "silu", "swiglu": "silu", "relu2": "relu2", "relu_sqr": "relu2"}
_LARGE_THETA = 1e5
_SHOWN = 80  # characters of an entry in an error

# what the machine does not do, and the values that ask for nothing
_NEUTRAL = {"rope.scaling.type": ("none", "linear"), "rope.scaling.factor": (0, 1), "rope.scale_linear": (0, 1),
            "rope.scaling.attn_factor": (0, 1), "attention.scale": (0,), "attention.clamp_kqv": (0,),
            "attention.sliding_window": (0,), "attention.max_alibi_bias": (0,), "attn_logit_softcapping": (0,),
            "final_logit_softcapping": (0,), "logit_scale": (0, 1), "embedding_scale": (0, 1),
            "residual_scale": (0, 1), "attention.causal": (True,), "expert_count": (0,),
            "use_parallel_residual": (False,), "pooling_type": (0,), "full_attention_interval": (0, 1),
            "attention.sliding_window_pattern": (0, 1), "ssm.state_size": (0,), "ssm.inner_size": (0,)}
_ROTATION = "prism.hadamard."  # its weights meet activations that a Hadamard transform has turned


@dataclass(frozen=True)
class GgufMetadata:
    """path: the file, for errors; fields: its metadata. Raises `ModelError` for a model of an unknown kind."""

    path: Path
    fields: Mapping[str, object]

    def __post_init__(self) -> None:
        if self.fields.get("split.count", 1) not in (0, 1):
            raise self.bad("split.count", "a whole model in one file", self.fields["split.count"])
        if self.architecture not in ARCHITECTURES:
            error = self.bad("general.architecture", f"one of {', '.join(ARCHITECTURES)}", self.architecture)
            raise ModelError(f"{error}: {_FOREIGN[self.architecture]}") if self.architecture in _FOREIGN else error
        if rotated := next((name for name in self.fields if name.startswith(_ROTATION)), None):
            raise ModelError(f"{self.path}: {rotated}: expected weights as activations meet them, found such as a "
                             f"Hadamard transform has rotated, which the machine does not compute")

    def bad(self, name: str, expected: str, found: object) -> ModelError:
        """An error about one entry, to be raised."""
        return ModelError(f"{self.path}: {name}: expected {expected}, found {_short(found)}")

    @property
    def architecture(self) -> str | None:
        """`general.architecture`."""
        return self._typed("general.architecture", str, "a string")

    @property
    def sub_norms(self) -> bool:
        """Does the architecture have RMSNorm before o and down?"""
        return self.architecture in _BITNET

    @property
    def interleaved(self) -> bool:
        """Do the rows of q and k pair neighbouring channels?"""
        return self.architecture == "llama"

    @property
    def qk_norm(self) -> bool:
        """Does the architecture have RMSNorm over each head of q and k?"""
        return self.architecture == "qwen3"

    @property
    def producer(self) -> str:
        """Whatever the file says of who made it, for errors about what it does not say."""
        names = ("general.architecture", "general.name", "general.quantized_by", "general.file_type",
                 "general.quantization_version")
        return ", ".join(f"{name} {_short(self.fields[name])}" for name in names if name in self.fields)

    @property
    def tokenizer(self) -> dict[str, object]:
        """The entries about the vocabulary."""
        return {name: value for name, value in self.fields.items() if name.startswith("tokenizer.")}

    def assumed_activation(self, config: ModelConfig) -> str | None:
        """What was assumed of a config that this file gave, in words."""
        if not self.sub_norms or self._get("hidden_activation") is not None:
            return None
        return f"activation {config.activation}, by key heads and rope.freq_base, as no hidden_activation is given"

    def config(self, *, vocab_size: int, tied_head: bool, sub_norms: bool, activation: str | None,
               grouped: bool = False, grouped_tables: bool = False) -> ModelConfig:
        """The model's shape. vocab_size: rows of the embedding; activation: what the user says of it, if anything."""
        for name, neutral in _NEUTRAL.items():
            value = self._get(name)
            if value is not None and value not in neutral:
                raise self.bad(self._key(name), "nothing that the machine does not do", value)
        heads, hidden = self._count("attention.head_count"), self._count("embedding_length")
        if self._get("attention.key_length") is not None:
            head_dim = self._count("attention.key_length")
        elif heads < 1 or hidden % heads:
            raise self.bad(self._key("attention.head_count"), f"a divisor of embedding_length {hidden}", heads)
        else:
            head_dim = hidden // heads
        for name in ("attention.value_length", "rope.dimension_count"):
            if (value := self._get(name)) not in (None, head_dim):
                raise self.bad(self._key(name), f"{head_dim}, channels of a whole head", value)
        if (stated := self._get("vocab_size")) not in (None, vocab_size):
            raise self.bad(self._key("vocab_size"), f"{vocab_size}, as token_embd has rows", stated)
        kv_heads = self._count("attention.head_count_kv", heads)
        theta = _decimal(self._number("rope.freq_base", 1e4))  # llama.cpp's default
        eps = _decimal(self._number("attention.layer_norm_rms_epsilon"))
        ffn, layers, context = map(self._count, ("feed_forward_length", "block_count", "context_length"))
        gate = self._activation(activation, heads, kv_heads, theta)
        bos_id, eos_ids = self._bos_id(), self._eos_ids()
        with located(self.path):
            return ModelConfig(
                name=self._name(), vocab_size=vocab_size,
                hidden_size=hidden, ffn_size=ffn, layers=layers, heads=heads, kv_heads=kv_heads, head_dim=head_dim,
                activation=gate, sub_norms=sub_norms, tied_head=tied_head, rope_theta=theta, rms_eps=eps,
                context=context, bos_id=bos_id, eos_ids=eos_ids, qk_norm=self.qk_norm, grouped=grouped,
                grouped_tables=grouped_tables)

    def _key(self, name: str) -> str:
        return f"{self.architecture}.{name}"

    def _get(self, name: str) -> object:
        return self.fields.get(self._key(name))

    def _typed(self, name: str, kinds: type | UnionType, expected: str) -> Any:
        """An entry by its whole name, None where there is none; `ModelError` where it has another type."""
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool) is not (kinds is bool)):
            raise self.bad(name, expected, value)
        return value

    def _number(self, name: str, default: float | None = None) -> int | float:
        return self._given(self._typed(self._key(name), int | float, "one number for all layers"), name, default)

    def _count(self, name: str, default: int | None = None) -> int:
        return self._given(self._typed(self._key(name), int, "one number for all layers"), name, default)

    def _given(self, value: Any, name: str, default: float | None) -> Any:
        if value is None and default is None:
            raise ModelError(f"{self.path}: {self._key(name)} is missing")
        return default if value is None else value

    def _name(self) -> str:
        names = [self.fields.get(f"general.{name}") for name in ("name", "basename")]
        return chosen_name([*names, source_name(self.path)])

    def _activation(self, given: str | None, heads: int, kv_heads: int, theta: float) -> str:
        stated = self._typed(self._key("hidden_activation"), str, "a string")
        if stated is not None and stated not in _ACTIVATIONS:
            raise self.bad(self._key("hidden_activation"), f"one of {', '.join(_ACTIVATIONS)}", stated)
        known = _ACTIVATIONS.get(stated)
        if known is None and not self.sub_norms:
            known = "silu"
        if known is None and given is None:
            shared, large = kv_heads != heads, theta >= _LARGE_THETA
            if shared != large and self.architecture == "bitnet":
                raise ModelError(f"{self.path}: {self._key('hidden_activation')} is missing, and the shape does not "
                                 f"tell ({self.producer}): give --activation relu2 or --activation silu")
            known = "relu2" if shared or large else "silu"
        if given not in (None, known) and known is not None:
            raise ModelError(f"{self.path}: --activation {given}: the file has {known}")
        return known or given

    def _bos_id(self) -> int | None:
        added = self._typed("tokenizer.ggml.add_bos_token", bool, "true or false")
        return None if added is False else self._token("bos")

    def _token(self, kind: str) -> int | None:
        return self._typed(f"tokenizer.ggml.{kind}_token_id", int, "a token's id")

    def _eos_ids(self) -> tuple:
        """Ends that the keys name; those known by their texts are the vocabulary's word (`models.vocabulary`)."""
        found = [self._token(kind) for kind in ("eos", "eot", "eom")]
        return tuple(dict.fromkeys(token for token in found if token is not None))


def _short(found: object) -> str:
    """An entry as an error shows it: of a long text or a vocabulary the beginning."""
    text = repr(found[:_SHOWN] if isinstance(found, str | list) else found)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _decimal(value: float) -> float:
    """The decimal that a float32 was written as (1e-05, not 9.999999747378752e-06)."""
    with np.errstate(over="ignore"):
        return float(str(np.float32(value)))
