"""A model as a GGUF file for llama.cpp, the peer on a CPU: the same trits and scales, `bitnet` architecture.

Linears become TQ2_0 (two bits a trit, one float16 scale for 256), embedding and head, one tensor here, Q8_0 (int8, one
float16 scale for 32), gains float32; or, for a peer that quantises by itself, all matrices float16. There is no
vocabulary in it: it takes and gives token ids.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
from gguf.quants import quantize
from tqdm import tqdm

from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ModelError, OptionError
from models.model import Model
from models.output import check_output_file

__all__ = ["BLOCK", "add_shape", "check_shape", "main", "pack_tq2", "peer_tensors", "write_peer_model"]

BLOCK = 256
"""Weights of a row that TQ2_0 packs together; every linear's inputs are a multiple of it."""

_ARCHITECTURE = "bitnet"
_LINEARS = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up",
            "down": "ffn_down"}
_GAINS = {"input": "attn_norm", "post_attention": "ffn_norm", "attn_sub": "attn_sub_norm", "ffn_sub": "ffn_sub_norm"}

Tensor = tuple[str, np.ndarray, GGMLQuantizationType]


def check_shape(config: ModelConfig) -> None:
    """`ModelError` where llama.cpp's bitnet graph or TQ2_0 cannot hold this shape.

    The graph's gate is SiLU whatever the model's: a ReLU² model runs as fast there, with other results.
    """
    wrong = None
    if not config.sub_norms or not config.tied_head:
        wrong = "a model with sub-norms and a tied head"
    elif config.attention_size != config.hidden_size:
        wrong = f"heads that make up the hidden size of {config.hidden_size}, found {config.attention_size} channels"
    elif odd := [size for size in (config.hidden_size, config.ffn_size) if size % BLOCK]:
        wrong = f"sizes that are multiples of {BLOCK}, found {odd[0]}"
    if wrong:
        raise ModelError(f"{config.name}: the peer's format needs {wrong}")


def peer_tensors(model: Model, *, float16: bool = False) -> Iterator[Tensor]:
    """(name, bytes or floats, type) of every tensor, in the file's order. float16: what is not a gain."""
    f32, f16, tq2, q8 = (GGMLQuantizationType[name] for name in ("F32", "F16", "TQ2_0", "Q8_0"))
    source = float_model(model)
    if float16:
        yield "token_embd.weight", source.embedding.astype(np.float16), f16
    else:
        yield "token_embd.weight", quantize(source.embedding, q8), q8
    yield "output_norm.weight", source.final_gains, f32
    for index, layer in enumerate(source.layers):
        for name, gains in layer.gains.items():
            yield f"blk.{index}.{_GAINS[name]}.weight", gains, f32
        for name, linear in layer.linears.items():
            name = f"blk.{index}.{_LINEARS[name]}.weight"
            if float16:
                yield name, linear.trits * np.float16(linear.scale), f16
            else:
                yield name, pack_tq2(linear.trits, linear.scale), tq2


def pack_tq2(trits: np.ndarray, scale: float) -> np.ndarray:
    """trits: int8 [out, in] in -1..1. Returns TQ2_0 rows, uint8 [out, in / 256 * 66].

    A block: 64 bytes, then the float16 scale. Byte 32 h + j holds weights 128 h + 32 n + j at bits 2 n, as trit + 1.
    """
    outputs, inputs = trits.shape
    codes = (trits + 1).astype(np.uint8).reshape(outputs, inputs // BLOCK, 2, 4, 32)
    packed = codes[..., 0, :] | codes[..., 1, :] << 2 | codes[..., 2, :] << 4 | codes[..., 3, :] << 6
    rows = np.empty((outputs, inputs // BLOCK, 66), np.uint8)
    rows[..., :64] = packed.reshape(outputs, -1, 64)
    rows[..., 64:] = np.array([scale], "<f2").view(np.uint8)
    return rows.reshape(outputs, -1)


def write_peer_model(model: Model, path: Path, *, float16: bool = False, progress: bool = False) -> None:
    """Write the file, whole or not at all. float16: what is not a gain. `ModelError` where the peer cannot hold the
    shape, `OptionError` for a path that cannot be written."""
    config = model.config
    check_shape(config)
    count = 2 + config.layers * (len(_LINEARS) + len(config.gain_sizes))
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            unfinished = Path(scratch) / path.name
            writer = GGUFWriter(unfinished, _ARCHITECTURE)
            _add_metadata(writer, config, LlamaFileType.MOSTLY_F16 if float16 else LlamaFileType.MOSTLY_TQ2_0)
            for name, data, kind in tqdm(peer_tensors(model, float16=float16), "peer's model", count, unit="tensor",
                                         disable=not progress):
                writer.add_tensor(name, data, raw_dtype=kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            os.replace(unfinished, path)
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error.strerror or error}") from None


def add_shape(writer: GGUFWriter, config: ModelConfig) -> None:
    """The metadata that say a model's shape, under the writer's architecture."""
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ffn_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(config.rms_eps)
    writer.add_rope_freq_base(config.rope_theta)


def _add_metadata(writer: GGUFWriter, config: ModelConfig, kind: LlamaFileType) -> None:
    add_shape(writer, config)
    writer.add_name(config.name)
    writer.add_file_type(kind)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")  # ids only: the peer makes `vocab_size` nameless tokens


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.peers.peer_model", description="Write a model as GGUF for llama.cpp.")
    parser.add_argument("--model", required=True, metavar="DIR", help="a converted model's folder")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="GGUF file to write")
    options = parser.parse_args(arguments)
    check_output_file(options.output)
    write_peer_model(load_model(options.model), options.output, progress=sys.stderr.isatty())
    print(f"{options.output}: {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    run_command(main)
