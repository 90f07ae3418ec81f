"""GGUF files: of BitNet and Llama architectures, every ternary type, every kind of vocabulary."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize

from models.config import LINEARS, ModelConfig
from scripts.verify.fuzz.damage.gguf import (
    ARRAY,
    BOOL,
    FLOAT32,
    INT32,
    STRING,
    UINT32,
    Entry,
    GgufParts,
    GgufTensor,
    damage_gguf,
)
from scripts.verify.fuzz.kinds.kind import Kind, Step, convert_step, model_steps
from scripts.verify.fuzz.seeds import BITNET, CHATML, LLAMA, NAMES, byte_level_words, sentencepiece, ternary

__all__ = ["GgufKind"]

_I2_S = 36
_F16, _F32 = (int(kind) for kind in (GGMLQuantizationType.F16, GGMLQuantizationType.F32))
_I2_S_WIDTH = 32


def _i2_s(array: np.ndarray) -> bytes:
    """Codes of 128 values in 32 bytes, the first 32 values in the upper bits, and the scale behind all."""
    scale = np.abs(array).max()
    codes = (np.rint(array / scale).astype(np.int8) + 1).astype(np.uint8).reshape(-1, 4, _I2_S_WIDTH)
    data = codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]
    return data.tobytes() + np.full(8, scale, "<f4").tobytes()


def _tensors(config: ModelConfig, number: int) -> list[GgufTensor]:
    """Tensors whose projections are of type `number`."""
    outer = {"model.embed_tokens.weight": ("token_embd.weight", _F16), "lm_head.weight": ("output.weight", _F16),
             "model.norm.weight": ("output_norm.weight", _F32)}
    for index in range(config.layers):
        for name, (theirs, ours) in NAMES.items():
            kind = number if name in LINEARS else _F32
            outer[f"model.layers.{index}.{theirs}.weight"] = f"blk.{index}.{ours}.weight", kind
    found = []
    for name, array in ternary(config).items():
        ours, kind = outer[name]
        data = _i2_s(array) if kind == _I2_S else quantize(array, GGMLQuantizationType(kind)).tobytes()
        found.append(GgufTensor(ours, array.shape[::-1], kind, data))
    return found


def _shape(config: ModelConfig, architecture: str) -> list[Entry]:
    own = {"context_length": config.context, "embedding_length": config.hidden_size, "block_count": config.layers,
           "feed_forward_length": config.ffn_size, "attention.head_count": config.heads,
           "attention.head_count_kv": config.kv_heads, "attention.key_length": config.head_dim,
           "rope.dimension_count": config.head_dim, "vocab_size": config.vocab_size}
    return [Entry("general.architecture", STRING, architecture), Entry("general.name", STRING, "seed"),
            Entry("general.file_type", UINT32, 1),
            *(Entry(f"{architecture}.{name}", UINT32, value) for name, value in own.items()),
            Entry(f"{architecture}.attention.layer_norm_rms_epsilon", FLOAT32, config.rms_eps),
            Entry(f"{architecture}.rope.freq_base", FLOAT32, config.rope_theta),
            *([] if architecture == "llama" else [Entry(f"{architecture}.hidden_activation", STRING, "relu2")])]


def _byte_level() -> list[Entry]:
    vocabulary, merges = byte_level_words()
    return _vocabulary("gpt2", list(vocabulary), [3, 3, 3] + [1] * (len(vocabulary) - 3)) + [
        Entry("tokenizer.ggml.pre", STRING, "llama-bpe"), Entry("tokenizer.ggml.merges", ARRAY, (STRING, list(merges)))]


def _pieces(kind: str) -> list[Entry]:
    pieces = [dict(value) for number, value in sentencepiece(2) if number == 1]
    return _vocabulary(kind, [piece[1].decode() for piece in pieces], [piece[3] for piece in pieces]) + [
        Entry("tokenizer.ggml.scores", ARRAY, (FLOAT32, [piece[2] for piece in pieces])),
        Entry("tokenizer.ggml.add_space_prefix", BOOL, 1), Entry("tokenizer.ggml.unknown_token_id", UINT32, 0)]


def _vocabulary(kind: str, texts: list[str], types: list[int]) -> list[Entry]:
    return [Entry("tokenizer.ggml.model", STRING, kind), Entry("tokenizer.ggml.tokens", ARRAY, (STRING, texts)),
            Entry("tokenizer.ggml.token_type", ARRAY, (INT32, types)),
            Entry("tokenizer.ggml.bos_token_id", UINT32, 1), Entry("tokenizer.ggml.eos_token_id", UINT32, 2),
            Entry("tokenizer.ggml.add_bos_token", BOOL, 0), Entry("tokenizer.chat_template", STRING, CHATML)]


class GgufKind(Kind):
    """A file of one of six makes, damaged."""

    def __init__(self, folder: Path):
        blocks = ModelConfig(**vars(BITNET) | {"hidden_size": 128, "ffn_size": 128, "head_dim": 64})
        large = ModelConfig(**vars(BITNET) | {"hidden_size": 256, "ffn_size": 256, "head_dim": 128})
        f16, f32, tq1, tq2 = _F16, _F32, int(GGMLQuantizationType.TQ1_0), int(GGMLQuantizationType.TQ2_0)
        self._files = [GgufParts(_shape(config, name) + vocabulary, _tensors(config, number))
                       for config, name, number, vocabulary in (
                           (BITNET, "bitnet-b1.58", f16, _byte_level()), (BITNET, "bitnet", f32, _pieces("llama")),
                           (LLAMA, "llama", f16, _byte_level()), (LLAMA, "llama", f16, _pieces("t5")),
                           (blocks, "bitnet", _I2_S, _byte_level()), (large, "bitnet-b1.58", tq2, _byte_level()),
                           (large, "bitnet", tq1, _pieces("llama")))]

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        parts = self._files[rng.choice((0, 0, 1, 1, 2, 2, 3, 4, 5, 6))]  # small ones more often: they are fast
        name = rng.choice(("model.gguf", "model.gguf", "sha256-0123"))
        (folder / name).write_bytes(damage_gguf(parts, rng) if damaged else parts.to_bytes())
        return [convert_step(name), *model_steps("out")]
