"""Small GGUF files, made as their producers make them, to be read and to be damaged.

The container is written here with `struct`, from the format's text, because the library's writer knows no I2_S.
"""

import struct

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize

from models.config import LINEARS, ModelConfig
from tests.models.formats.folders import STEMS

__all__ = ["GGUF", "GGUF_LLAMA", "GGUF_SILU", "fields_of", "i2_s", "interleaved", "tensors_of", "write_gguf"]

GGUF = ModelConfig(name="made", vocab_size=41, hidden_size=256, ffn_size=512, layers=2, heads=4, kv_heads=2,
                   head_dim=64, activation="relu2", sub_norms=True, tied_head=True, rope_theta=5e5, rms_eps=1e-5,
                   context=16, bos_id=0, eos_ids=(1, 2))
"""As 2B-4T; blocks of 256 values divide its rows."""

GGUF_SILU = ModelConfig(**vars(GGUF) | {"activation": "silu", "kv_heads": 4, "rope_theta": 1e4})
"""As 1bitLLM's models."""

GGUF_LLAMA = ModelConfig(**vars(GGUF) | {"activation": "silu", "sub_norms": False, "tied_head": False, "rms_eps": 1e-6})
"""Llama-shaped."""

F32, F16, I2_S = GGMLQuantizationType.F32, GGMLQuantizationType.F16, 36
NAMES = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up",
         "down": "ffn_down"}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
         "self_attn.attn_sub_norm": "attn_sub_norm", "mlp.ffn_sub_norm": "ffn_sub_norm"}


def fields_of(config: ModelConfig, architecture: str) -> dict[str, object]:
    """Metadata, with a vocabulary of a few pieces."""
    own = {"context_length": config.context, "embedding_length": config.hidden_size, "block_count": config.layers,
           "feed_forward_length": config.ffn_size, "attention.head_count": config.heads,
           "attention.head_count_kv": config.kv_heads, "attention.layer_norm_rms_epsilon": config.rms_eps,
           "rope.freq_base": config.rope_theta, "rope.dimension_count": config.head_dim,
           "vocab_size": config.vocab_size}
    tokens = {"bos_token_id": config.bos_id, "eos_token_id": config.eos_ids[0], "eot_token_id": config.eos_ids[1]}
    return ({"general.architecture": architecture, "general.name": config.name}
            | {f"{architecture}.{name}": value for name, value in own.items()}
            | {f"tokenizer.ggml.{name}": value for name, value in tokens.items()})


def interleaved(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Row 2i of a head is its row i, row 2i + 1 its row i + head_dim / 2; written with loops."""
    result = np.empty_like(rows)
    for start in range(0, len(rows), head_dim):
        for i in range(head_dim // 2):
            result[start + 2 * i] = rows[start + i]
            result[start + 2 * i + 1] = rows[start + head_dim // 2 + i]
    return result


def i2_s(trits: np.ndarray, scale: float, width: int = 32) -> np.ndarray:
    """I2_S bytes, `width` bytes a block; written with loops."""
    codes = (trits.reshape(-1) + 1).astype(np.uint8)
    data = np.zeros(codes.size // 4, np.uint8)
    for start in range(0, data.size, width):
        for part in range(4):
            first = 4 * start + part * width
            data[start:start + width] |= codes[first:first + width] << (6 - 2 * part)
    return np.concatenate([data, np.array([scale] * 8, "<f4").view(np.uint8)])


def tensors_of(masters: dict[str, np.ndarray], config: ModelConfig, number: int, *,
               permute: bool = False, width: int = 32) -> dict[str, tuple[int, tuple[int, ...], bytes]]:
    """Hugging Face masters as GGUF tensors (type, shape, bytes), the projections ternarised and of type `number`."""
    def plain(array, kind):
        return int(kind), array.shape, quantize(array, kind).tobytes()

    found = {"token_embd.weight": plain(masters["model.embed_tokens.weight"], F16),
             "output_norm.weight": plain(masters["model.norm.weight"], F32)}
    if "lm_head.weight" in masters:
        found["output.weight"] = plain(masters["lm_head.weight"], F16)
    for index in range(config.layers):
        for theirs, ours in NORMS.items():
            if (array := masters.get(f"model.layers.{index}.{theirs}.weight")) is not None:
                found[f"blk.{index}.{ours}.weight"] = plain(array, F32)
        for name in LINEARS:
            array = masters[f"model.layers.{index}.{STEMS[name]}.weight"]
            scale = np.abs(array).mean(dtype=np.float64).astype(np.float32)
            trits = np.clip(np.rint(array / scale), -1, 1).astype(np.int8)
            if permute and name in ("q", "k"):
                trits = interleaved(trits, config.head_dim)
            if number == I2_S:
                stored = I2_S, trits.shape, i2_s(trits, scale, width or trits.shape[1]).tobytes()
            else:
                stored = plain((trits * scale).astype(np.float32), GGMLQuantizationType(number))
            found[f"blk.{index}.{NAMES[name]}.weight"] = stored
    return found


def write_gguf(path, fields: dict[str, object], tensors: dict[str, tuple[int, tuple[int, ...], bytes]]):
    """Write a file of version 3; returns its path. Lists are of strings, floats or integers; a pair is the number of a
    type and its bytes."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields)))

    def string(text):
        data = text.encode()
        return struct.pack("<Q", len(data)) + data

    kinds = {bool: (7, lambda x: struct.pack("<B", x)), int: (4, lambda x: struct.pack("<I", x)),
             float: (6, lambda x: struct.pack("<f", x)), str: (8, string)}
    for name, value in fields.items():
        head += string(name)
        if isinstance(value, tuple):
            head += struct.pack("<I", value[0]) + value[1]
        elif isinstance(value, list):
            number, pack = kinds[type(value[0])]
            head += struct.pack("<IIQ", 9, number, len(value)) + b"".join(map(pack, value))
        else:
            number, pack = kinds[type(value)]
            head += struct.pack("<I", number) + pack(value)
    data = bytearray()
    for name, (number, shape, stored) in tensors.items():
        head += string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", number, len(data))
        data += stored + bytes(-len(stored) % 32)
    path.write_bytes(bytes(head) + bytes(-len(head) % 32) + bytes(data))
    return path
