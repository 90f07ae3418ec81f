"""GGUF files of each kind on the emulator, against a float reference that is written from the layouts' definitions."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ModelError
from models.float_twin import float_logits
from models.formats import read_checkpoint
from models.machine.build import CPU
from models.quantise import quantise_model
from tests.host.test_accuracy import check
from tests.models.float_reference import reference_logits
from tests.models.formats.folders import STEMS, config_json, write_folder
from tests.models.formats.gguf_files import NAMES, fields_of, interleaved, write_gguf
from tests.models.formats.ternary_blocks import BLOCK_TYPES, decoded, encoded

BITNET = ModelConfig(name="kind", vocab_size=192, hidden_size=256, ffn_size=512, layers=2, heads=4, kv_heads=2,
                     head_dim=64, activation="relu2", sub_norms=True, tied_head=True, rope_theta=5e5, rms_eps=1e-5,
                     context=40, bos_id=0, eos_ids=(1, 2))
LLAMA = replace(BITNET, activation="silu", sub_norms=False, tied_head=False, rms_eps=1e-6)
QWEN3 = replace(LLAMA, qk_norm=True, head_dim=128, heads=2, kv_heads=1, rope_theta=1e6, grouped=True)
BONSAI = replace(QWEN3, grouped_tables=True)


@dataclass(frozen=True)
class Kind:
    """A kind of file: architecture, the shape it is read as, blocks of its matrices, whether these differ in scale."""

    architecture: str
    config: ModelConfig
    blocks: str
    varied: bool


KINDS = {
    "bitnet": Kind("bitnet", BITNET, "TQ2_0", False),
    "bitnet-25 with a head of its own": Kind("bitnet-25", replace(BITNET, tied_head=False), "TQ1_0", False),
    "bitnet-b1.58": Kind("bitnet-b1.58", BITNET, "TQ2_0", False),
    "Q2_0 of one scale": Kind("bitnet-b1.58", BITNET, "Q2_0", False),
    "TQ1_0 of many scales": Kind("llama", replace(LLAMA, grouped=True), "TQ1_0", True),
    "TQ2_0 of many scales": Kind("llama", replace(LLAMA, grouped=True), "TQ2_0", True),
    "Q2_0": Kind("qwen3", BONSAI, "Q2_0", True),
    "Q2_0, tied": Kind("qwen3", replace(BONSAI, tied_head=True), "Q2_0", True),
    "Q2_0 of 128": Kind("qwen3", BONSAI, "Q2_0 of 128", True),
    "PQ2_0": Kind("qwen3", BONSAI, "PQ2_0", True),
    "PTQ1_0, tied": Kind("qwen3", replace(BONSAI, tied_head=True), "PTQ1_0", True),
    "TQ2_0 with float tables": Kind("qwen3", QWEN3, "TQ2_0", True),
}


def made(tmp_path, kind, seed=0):
    """A file of random weights, and these as the definition has them, by GGUF names."""
    config, rng = kind.config, np.random.default_rng(seed)
    number, weights = BLOCK_TYPES[kind.blocks]
    tensors, values = {}, {}

    def floats(name, *shape, mean=0.0, deviation=1.0):
        values[name] = np.float32(mean + deviation * rng.standard_normal(shape))
        tensors[name] = 0, shape, values[name].tobytes()

    def ternary(name, outputs, inputs, scale, permuted=False):
        trits = np.clip(np.rint(rng.standard_normal((outputs, inputs)) / 0.8), -1, 1).astype(np.int8)
        group = max(weights, 128)
        scales = np.full((outputs, inputs // group), scale)
        if kind.varied:
            scales = scales * np.exp(rng.standard_normal(scales.shape) / 3)
        data = encoded(kind.blocks, trits, np.repeat(scales, group // weights, axis=1))
        if permuted:  # after the definition: the runtime of such a file turns neighbours
            values[name] = decoded(kind.blocks, data, (outputs, inputs))
            rows = [interleaved(part, config.head_dim) for part in (trits, scales)]
            data = encoded(kind.blocks, rows[0], np.repeat(rows[1], group // weights, axis=1))
        else:
            values[name] = decoded(kind.blocks, data, (outputs, inputs))
        tensors[name] = number, (outputs, inputs), data

    tables = ["token_embd"] if config.tied_head else ["token_embd", "output"]
    for name in tables:
        if config.grouped_tables:
            ternary(f"{name}.weight", config.vocab_size, config.hidden_size, 1.0)
        else:
            floats(f"{name}.weight", config.vocab_size, config.hidden_size)
    floats("output_norm.weight", config.hidden_size, mean=1, deviation=1 / 8)
    gains = {"input": "attn_norm", "post_attention": "ffn_norm", "attn_sub": "attn_sub_norm",
             "ffn_sub": "ffn_sub_norm", "q": "attn_q_norm", "k": "attn_k_norm"}
    for layer in range(config.layers):
        for name, size in config.gain_sizes.items():
            floats(f"blk.{layer}.{gains[name]}.weight", size, mean=1, deviation=1 / 8)
        for name, (outputs, inputs) in config.linear_shapes.items():
            ternary(f"blk.{layer}.{NAMES[name]}.weight", outputs, inputs, inputs**-0.5,
                    kind.architecture == "llama" and name in ("q", "k"))
    fields = fields_of(config, kind.architecture) | {f"{kind.architecture}.attention.key_length": config.head_dim}
    return write_gguf(tmp_path / "kind.gguf", fields, tensors), values


def scored(source, ids):
    session = Session(quantise_model(source), EmulatorDevice(CPU))
    logits = session.score(ids) / 65536.0
    assert session.saturations == 0
    return logits


def reference(config, values, ids, *, int8):
    return reference_logits(values, ids, heads=config.heads, kv_heads=config.kv_heads, theta=config.rope_theta,
                            eps=config.rms_eps, activation=config.activation, int8=int8)


@pytest.mark.parametrize("name", KINDS)
def test_logits_are_those_of_the_definition(tmp_path, name):
    kind = KINDS[name]
    path, values = made(tmp_path, kind)
    source = read_checkpoint(path)
    assert source.config == kind.config
    ids = np.random.default_rng(1).integers(0, kind.config.vocab_size, kind.config.context)
    expected = reference(kind.config, values, ids, int8=True)
    check(scored(source, ids), expected, 0.9995)
    check(float_logits(source, ids), expected, 0.99999)
    check(float_logits(float_model(quantise_model(source)), ids), expected, 0.9997)


HF_NAMES = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}
HF_GAINS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
            "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}


def folder_of(tmp_path, config, values, **changes):
    """The values as a Hugging Face folder of floats."""
    names = {f"blk.{n}.{ours}.weight": f"model.layers.{n}.{theirs}.weight" for n in range(config.layers)
             for ours, theirs in ({NAMES[name]: stem for name, stem in STEMS.items()} | HF_GAINS).items()}
    names |= {f"{ours}.weight": f"{theirs}.weight" for ours, theirs in HF_NAMES.items()}
    data = config_json(config, **{"quantization_config": ..., **changes})
    return write_folder(tmp_path / "kind", data, {names[name]: array for name, array in values.items()})


@pytest.mark.parametrize(("config", "varied", "changes"), [
    (BONSAI, True, {"model_type": "qwen3", "layer_types": ["full_attention"] * 2, "use_sliding_window": False}),
    (replace(BONSAI, tied_head=True), True, {"model_type": "qwen3"}), (LLAMA, False, {}),
    (LLAMA, False, {"quantization_config": {"quant_method": "bitnet"}})],
    ids=["Bonsai", "Bonsai, tied", "ternary floats, as Falcon-E's bfloat16", "such floats as masters"])
def test_floats_that_are_ternary_are_taken_as_they_are(tmp_path, config, varied, changes):
    """A mean of the magnitudes would count the zeros: every scale would be a third less."""
    _, values = made(tmp_path, Kind("qwen3", config, "Q2_0 of 128", varied))
    source = read_checkpoint(folder_of(tmp_path, config, values, **changes))
    assert source.config == config
    ids = np.random.default_rng(1).integers(0, config.vocab_size, config.context)
    check(scored(source, ids), reference(config, values, ids, int8=True), 0.9995)


def test_floats_of_another_model_are_refused(tmp_path):
    _, values = made(tmp_path, Kind("qwen3", LLAMA, "Q2_0 of 128", False))
    values["blk.1.ffn_up.weight"] = values["blk.1.ffn_up.weight"] + np.float32(0.01)
    folder = folder_of(tmp_path, LLAMA, values)
    with pytest.raises(ModelError, match="model.layers.1.mlp.up_proj.weight: expected ternary weights, found floats of "
                                         "several magnitudes"):
        quantise_model(read_checkpoint(folder))


@pytest.mark.parametrize("name", ["Q2_0", "PTQ1_0, tied"])
def test_int8_activations_of_a_model_that_was_trained_without(tmp_path, name):
    """docs/checkpoints.md states what larger shapes lose."""
    kind = KINDS[name]
    path, values = made(tmp_path, kind)
    ids = np.random.default_rng(1).integers(0, kind.config.vocab_size, kind.config.context)
    logits, expected = scored(read_checkpoint(path), ids), reference(kind.config, values, ids, int8=False)
    np.testing.assert_allclose(float_logits(read_checkpoint(path), ids, np.float64, int8=False), expected, rtol=1e-9,
                               atol=1e-9 * np.abs(expected).max())
    cosine = (logits * expected).sum(axis=1) / np.linalg.norm(logits, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.mean() > 0.9997 and cosine.min() > 0.999
