"""Memory and time of a conversion: `python -m scripts.peers.measure_conversion --format gguf --scratch DIR`.

Makes a random checkpoint of a preset's shape in a temporary folder (block by block: it is larger than the memory that
is to be shown), converts it with `python -m models.convert`, and prints one row of a Markdown table.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gguf
import numpy as np
from tqdm import tqdm

from models.command import CommandParser, run_command
from models.config import LINEARS, PRESETS, ModelConfig
from models.errors import OptionError
from models.output import check_output_folder
from models.safetensors_file import SafetensorsWriter
from scripts.peers.child import child_output
from scripts.peers.peer_model import add_shape

__all__ = ["FORMATS", "main", "write_folder", "write_gguf"]

FORMATS = ("masters", "packed", "gguf")
"""bf16 masters and packed U8 of a Hugging Face folder, I2_S and F16 of a GGUF file."""

_GAINS = {"input": ("input_layernorm", "attn_norm"), "post_attention": ("post_attention_layernorm", "ffn_norm"),
          "attn_sub": ("self_attn.attn_sub_norm", "attn_sub_norm"), "ffn_sub": ("mlp.ffn_sub_norm", "ffn_sub_norm")}
_LINEARS = {name: (f"self_attn.{name}_proj" if name in "qkvo" else f"mlp.{name}_proj",
                   "attn_output" if name == "o" else f"attn_{name}" if name in "qkv" else f"ffn_{name}")
            for name in LINEARS}
_ROWS = 2048  # of a table made at a time
_I2_S = 36

Rng = np.random.Generator


def _tensors(config: ModelConfig, side: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name, kind, shape) of every tensor; side 0: Hugging Face's names, 1: GGUF's."""
    table = config.vocab_size, config.hidden_size
    yield ("model.embed_tokens.weight", "token_embd.weight")[side], "table", table
    if not config.tied_head:
        yield ("lm_head.weight", "output.weight")[side], "table", table
    yield ("model.norm.weight", "output_norm.weight")[side], "gain", table[1:]
    for index in range(config.layers):
        stem = (f"model.layers.{index}", f"blk.{index}")[side]
        for name, size in config.gain_sizes.items():
            yield f"{stem}.{_GAINS[name][side]}.weight", "gain", (size,)
        for name, shape in config.linear_shapes.items():
            yield f"{stem}.{_LINEARS[name][side]}.weight", "linear", shape


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    for start in range(0, shape[0], _ROWS):
        yield start, (min(_ROWS, shape[0] - start), *shape[1:])


def _bfloat16(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """uint16: the upper halves of random float32 numbers."""
    return (rng.standard_normal(shape, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_folder(folder: Path, config: ModelConfig, rng: Rng, *, packed: bool, shards: int) -> Path:
    """A Hugging Face folder; returns it."""
    quantisation = {"quant_method": "bitnet", "linear_class": "autobitlinear",
                    "quantization_mode": "offline" if packed else "online"}
    data = {"architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size, "intermediate_size": config.ffn_size,
            "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim, "hidden_act": config.activation,
            "max_position_embeddings": config.context, "rms_norm_eps": config.rms_eps, "rope_theta": config.rope_theta,
            "tie_word_embeddings": config.tied_head, "quantization_config": quantisation}
    (folder / "config.json").write_text(json.dumps(data))
    layout, make = {}, {}
    for name, kind, shape in _tensors(config, 0):
        layout[name], make[name] = ("BF16", shape), _bfloat16
        if packed and kind == "linear":
            layout[name], make[name] = ("U8", (shape[0] // 4, shape[1])), _packed
            layout[f"{name}_scale"], make[f"{name}_scale"] = ("BF16", (1,)), _one
    names = list(layout)
    weight_map = {name: f"model-{index % shards}.safetensors" for index, name in enumerate(names)}
    for file in tqdm(sorted(set(weight_map.values())), "making", unit="file", leave=False):
        part = {name: layout[name] for name in names if weight_map[name] == file}
        with SafetensorsWriter(folder / file, part) as out:
            for name, (_, shape) in part.items():
                for start, block in _blocks(shape):
                    out.put(name, make[name](rng, block), start)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def _packed(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    trits = rng.integers(0, 3, (4, *shape), np.uint8)
    return trits[0] | trits[1] << 2 | trits[2] << 4 | trits[3] << 6


def _one(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, 0x3F80, np.uint16)


def write_gguf(path: Path, config: ModelConfig, rng: Rng) -> Path:
    """A GGUF file with I2_S matrices and an F16 table; returns its path."""
    writer = gguf.GGUFWriter(path, "bitnet-b1.58")
    add_shape(writer, config)
    writer.add_key_length(config.head_dim)
    kinds: dict[str, tuple[type, Callable[[Rng, tuple[int, ...]], np.ndarray]]] = {
        "gain": (np.float32, lambda rng, shape: rng.standard_normal(shape, np.float32)),
        "table": (np.float16, lambda rng, shape: rng.standard_normal(shape, np.float32).astype(np.float16)),
        "linear": (np.uint8, _packed)}
    tensors = list(_tensors(config, 1))
    for name, kind, shape in tensors:
        count, dtype = int(np.prod(shape)), np.dtype(kinds[kind][0])
        if kind == "linear":
            writer.add_tensor_info(name, shape, np.dtype(np.float32), count // 4 + 32, raw_dtype=_I2_S)
        else:
            writer.add_tensor_info(name, shape, dtype, count * dtype.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    out = writer.fout[0]
    for _, kind, shape in tqdm(tensors, "making", unit="tensor", leave=False):
        writer.write_padding(out, out.tell())
        if kind == "linear":
            out.write(_packed(rng, (shape[0], shape[1] // 4)).data)
            out.write(np.array([1 / 64, *[0] * 7], "<f4").data)
        else:
            for _, block in _blocks(shape):
                out.write(kinds[kind][1](rng, block).data)
        writer.write_padding(out, out.tell())
    writer.close()
    return path


def _measured(source: Path, target: Path) -> tuple[float, float]:
    """Seconds, and the largest resident set of the process in GiB, mapped pages among it."""
    start = time.monotonic()
    child_output([sys.executable, "-m", "models.convert", str(source), "-o", str(target)])
    return time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.peers.measure_conversion",
                           description="Memory and time of a conversion at real size.")
    parser.add_argument("--preset", default="bitnet-2b4t", choices=PRESETS, help="shape (default: %(default)s)")
    parser.add_argument("--format", default="masters", choices=FORMATS, help="of the source (default: %(default)s)")
    parser.add_argument("--shards", type=int, default=1, help="files of a folder (default: %(default)s)")
    parser.add_argument("--scratch", type=Path, help="where to make it (default: the system's temporary folder)")
    options = parser.parse_args(arguments)
    if options.shards < 1:
        raise OptionError(f"--shards must be at least 1, got {options.shards}")
    check_output_folder(options.scratch or tempfile.gettempdir())
    config, rng = PRESETS[options.preset], np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        if options.format == "gguf":
            source = write_gguf(folder / "made.gguf", config, rng)
        else:
            (folder / "made").mkdir()
            source = write_folder(folder / "made", config, rng, packed=options.format == "packed",
                                  shards=options.shards)
        files = [source] if source.is_file() else list(source.iterdir())
        size = sum(file.stat().st_size for file in files)
        seconds, memory = _measured(source, folder / "out")
    kind = options.format + (f", {options.shards} files" if options.shards > 1 else "")
    print(f"| {options.preset}, {kind} | {size / 1e9:.2f} GB | {memory:.2f} GiB | {seconds:.0f} s |")


if __name__ == "__main__":
    run_command(main)
