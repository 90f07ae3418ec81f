"""Damaged files of every kind: one clear line, or the valid file that it still is. Never a traceback, a crash, a wait.

Files are read and quantised in this process; a few go through the command.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind

from models.checkpoint import load_model, save_model
from models.config import ModelConfig
from models.dequantise import float_model
from models.formats import read_checkpoint
from models.formats.source import GroupedLinear
from models.quantise import quantise_model
from models.synth import synthetic_model
from tests.models.damage import bounded, damaged_bytes, damaged_json, outcome
from tests.models.formats.folders import config_json, masters, packed, tokenizer_json, write_folder
from tests.models.formats.gguf_files import GGUF, I2_S, fields_of, tensors_of, write_gguf
from tests.models.small import PLAIN, SMALL

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs limits of memory")

VARIANTS = 60
TINY = ModelConfig(**vars(GGUF) | {"vocab_size": 6, "ffn_size": 256, "layers": 1, "heads": 2, "kv_heads": 1,
                                   "head_dim": 128})
GGUF_KINDS = {"tq1_0": Kind.TQ1_0, "tq2_0": Kind.TQ2_0, "i2_s": I2_S, "f16": Kind.F16}


def make(kind: str, folder: Path) -> Path:
    """A whole checkpoint of a kind; returns the file that holds its tensors."""
    if kind in GGUF_KINDS:
        fields = fields_of(TINY, "bitnet") | {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a", "b", "ab"],
                                              "tokenizer.ggml.merges": ["a b"]}
        return write_gguf(folder / "model.gguf", fields, tensors_of(masters(TINY), TINY, GGUF_KINDS[kind]))
    if kind == "own":
        folder.rmdir()
        save_model(synthetic_model(PLAIN, 3), folder)
    elif kind == "masters":
        write_folder(folder, config_json(SMALL), masters(SMALL))
        (folder / "tokenizer.json").write_text(tokenizer_json({"a": 0, "b": 40}))
    else:
        quantisation = {"quant_method": "bitnet", "quantization_mode": "offline"}
        write_folder(folder, config_json(PLAIN, quantization_config=quantisation), packed(masters(PLAIN), 2.0))
    return folder / "model.safetensors"


def read_source(path: Path) -> None:
    """All of a foreign checkpoint; what is accepted must be a valid model."""
    source = read_checkpoint(path if path.suffix == ".gguf" else path.parent)
    for layer in source.layers:
        for name, linear in layer.linears.items():
            if isinstance(linear, GroupedLinear):  # a damaged block's scale makes it one of several
                assert linear.values().shape == source.config.linear_shapes[name]
                assert set(np.unique(linear.signs)) <= {-1, 0, 1} and (linear.scales >= 0).all()
                continue
            assert linear.trits.shape == source.config.linear_shapes[name]
            assert set(np.unique(linear.trits)) <= {-1, 0, 1} and 0 < linear.scale < np.inf
    model = quantise_model(source)
    assert model.head.shape == model.embedding.shape == (source.config.vocab_size, source.config.hidden_size)


def read_own(path: Path) -> None:
    """All of a model folder."""
    model = float_model(load_model(path.parent))
    assert np.isfinite(model.head).all() and np.isfinite(model.embedding).all()


def reader(kind: str, path: Path):
    return lambda: (read_own if kind == "own" else read_source)(path)


def header_size(data: bytes) -> int:
    """Bytes that describe tensors; in a small GGUF file the first ones, its metadata with them."""
    return 1800 if data.startswith(b"GGUF") else 8 + int.from_bytes(data[:8], "little")


KINDS = ["masters", "packed", "own", *GGUF_KINDS]


@pytest.fixture(params=KINDS)
def whole(request, tmp_path):
    (tmp_path / "model").mkdir()
    path = make(request.param, tmp_path / "model")
    read = reader(request.param, path)
    assert outcome(read, "whole") == ""
    return path, read


def test_cut_short_at_every_kilobyte(whole):
    path, read = whole
    data = path.read_bytes()
    with bounded():
        for length in range(0, len(data) - 1, 1024):
            path.write_bytes(data[:length])
            line = outcome(read, length)
            # only the padding after the last tensor of a GGUF file may be missing
            assert str(path) in line, length


def test_fuzzed_tensors(whole):
    path, read = whole
    data = path.read_bytes()
    lines = []
    with bounded():
        for seed in range(VARIANTS):
            path.write_bytes(damaged_bytes(data, np.random.default_rng(seed), header_size(data)))
            lines.append(outcome(read, seed))
    refused = [line for line in lines if line]
    assert all(str(path.parent) in line or "residual" in line or "layer" in line for line in refused)
    assert VARIANTS // 4 < len(refused) < VARIANTS  # the damage is neither overlooked nor always fatal


@pytest.mark.parametrize(("kind", "name"), [
    ("masters", "config.json"), ("masters", "tokenizer.json"), ("packed", "config.json"), ("own", "model.json")])
def test_fuzzed_json(tmp_path, kind, name):
    (tmp_path / "model").mkdir()
    path = make(kind, tmp_path / "model")
    text = (path.parent / name).read_text()
    lines = []
    with bounded():
        for seed in range(VARIANTS):
            changed = damaged_json(text, np.random.default_rng(seed))
            (path.parent / name).write_text(changed)
            lines.append(outcome(reader(kind, path), (seed, changed[:2000])))
    assert any(lines)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{}", "\x00", '{"version": ' + "9" * 10_000 + "}"])
@pytest.mark.parametrize(("kind", "name"), [("masters", "config.json"), ("own", "model.json")])
def test_other_json(tmp_path, kind, name, text):
    (tmp_path / "model").mkdir()
    path = make(kind, tmp_path / "model")
    (path.parent / name).write_text(text)
    assert str(path.parent / name) in outcome(reader(kind, path), text[:20])


def test_huge_counts_are_not_believed(tmp_path):
    (tmp_path / "model").mkdir()
    path = make("masters", tmp_path / "model")
    with bounded():
        for name, expected in (("num_hidden_layers", "model.layers.2.input_layernorm.weight: is missing"),
                               ("vocab_size", "model.embed_tokens.weight: expected shape"),
                               ("intermediate_size", "expected shape"), ("hidden_size", "expected shape"),
                               ("head_dim", "expected shape")):
            data = config_json(SMALL) | {name: 2**40}
            (path.parent / "config.json").write_text(json.dumps(data))
            assert expected in outcome(reader("masters", path), name)
        own = tmp_path / "own"
        own.mkdir()
        path = make("own", own)
        text = (own / "model.json").read_text()
        for name, expected in (("layers", "tensor scales: expected shape [1099511627776, 7], found [2, 7]"),
                               ("vocab_size", "expected I16 [1099511627776, 24]"), ("ffn_size", "expected U8")):
            data = json.loads(text)
            data["config"][name] = 2**40
            (own / "model.json").write_text(json.dumps(data))
            assert expected in outcome(reader("own", path), name)


def test_a_few_through_the_command(tmp_path):
    """Exit status 2, one line, nothing written."""
    for number, kind in enumerate(("masters", "packed", "tq2_0", "i2_s")):
        folder = tmp_path / kind
        folder.mkdir()
        path = make(kind, folder)
        data = path.read_bytes()
        path.write_bytes(data[:len(data) * (number + 1) // 6])
        before = sorted(tmp_path.rglob("*"))
        source = path if path.suffix == ".gguf" else folder
        done = subprocess.run([sys.executable, "-m", "models.convert", source, "-o", tmp_path / "out", "--json"],
                              cwd=Path(__file__).parents[2], capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert done.stdout == "" and done.stderr.count("\n") == 1 and str(path) in done.stderr
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_more_fuzzed_variants(tmp_path, kind):
    (tmp_path / "model").mkdir()
    path = make(kind, tmp_path / "model")
    data = path.read_bytes()
    for start in range(VARIANTS, 10_000, 1000):
        with bounded():
            for seed in range(start, start + 1000):
                path.write_bytes(damaged_bytes(data, np.random.default_rng(seed), header_size(data)))
                outcome(reader(kind, path), seed)
    shutil.rmtree(path.parent)
