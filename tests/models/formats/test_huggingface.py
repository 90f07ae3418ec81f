import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import ModelError
from models.formats import read_checkpoint
from models.formats.huggingface import unpack_quarters
from models.ternary import quantise_ternary
from models.vocabulary import TextParts
from models.vocabulary.parts import Around
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.formats.folders import STEMS, config_json, masters, packed, tokenizer_json, write_folder
from tests.models.small import PLAIN, SMALL

BFLOAT16_STEP = 2.0**-8  # largest relative rounding error of a stored bf16 scale


def same_trits(a, b, scale_tolerance):
    for left, right in zip(a.layers, b.layers, strict=True):
        for name, linear in left.linears.items():
            np.testing.assert_array_equal(linear.trits, right.linears[name].trits, strict=True)
            assert linear.scale == pytest.approx(right.linears[name].scale, rel=scale_tolerance)


@needs_fixtures
@pytest.mark.parametrize(("a", "b", "tolerance"), [
    ("relu2_gqa/hf_bf16_online", "relu2_gqa/hf_packed_autobitlinear", BFLOAT16_STEP),
    ("relu2_gqa/hf_bf16_online", "relu2_gqa/hf_packed_bitlinear", BFLOAT16_STEP),
    ("relu2_gqa/hf_bf16_online", "relu2_gqa/hf_1bitllm", 1e-6),
    ("silu_mha/hf_1bitllm", "silu_mha/hf_packed_autobitlinear", BFLOAT16_STEP),
    ("llama_plain/hf_llama_online", "llama_plain/hf_llama_packed_default", BFLOAT16_STEP),
])
def test_one_model_in_two_layouts_gives_the_same_trits(a, b, tolerance):
    left, right = read_checkpoint(FIXTURES / a), read_checkpoint(FIXTURES / b)
    same_trits(left, right, tolerance)
    np.testing.assert_allclose(left.embedding, right.embedding, rtol=1e-3, atol=1e-7)
    for x, y in zip(left.layers, right.layers, strict=True):
        for name, gains in x.gains.items():
            np.testing.assert_allclose(gains, y.gains[name], rtol=1e-3)


@needs_fixtures
@pytest.mark.parametrize("folder", sorted(p.relative_to(FIXTURES).as_posix() for p in FIXTURES.glob("*/hf*")))
def test_every_fixture_is_read_with_its_family(folder):
    model = read_checkpoint(FIXTURES / folder)
    family = folder.split("/")[0]
    assert model.config.activation == {"relu2_gqa": "relu2"}.get(family, "silu")
    assert model.config.sub_norms == model.config.tied_head == (family != "llama_plain")
    assert model.config.kv_heads == {"silu_mha": 4}.get(family, 2)
    assert model.config.rope_theta == {"relu2_gqa": 5e5, "silu_mha": 1e4, "llama_plain": 1000042.0}[family]
    for layer in model.layers:
        assert {name: linear.trits.shape for name, linear in layer.linears.items()} == model.config.linear_shapes
        assert {name: gains.size for name, gains in layer.gains.items()} == model.config.gain_sizes


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_masters_are_ternarised_and_the_rest_kept(tmp_path, config):
    tensors = masters(config)
    model = read_checkpoint(write_folder(tmp_path / config.name, config_json(config), tensors))
    assert model.config == config
    np.testing.assert_array_equal(model.embedding, tensors["model.embed_tokens.weight"], strict=True)
    np.testing.assert_array_equal(model.final_gains, tensors["model.norm.weight"], strict=True)
    assert (model.head is None) == config.tied_head
    for index, layer in enumerate(model.layers):
        for name, linear in layer.linears.items():
            trits, scale = quantise_ternary(tensors[f"model.layers.{index}.{STEMS[name]}.weight"])
            np.testing.assert_array_equal(linear.trits, trits, strict=True)
            assert linear.scale == scale
    assert model.provenance == {"source": config.name, "format": "huggingface", "weights": "masters"}


@pytest.mark.parametrize("mode", ["online", None])
def test_masters_that_are_ternary_are_averaged_where_each_run_would(tmp_path, mode):
    """A master's scale is its mean, with its zeros; a value's its magnitude."""
    tensors, name = masters(SMALL), f"model.layers.0.{STEMS['q']}.weight"
    tensors[name] = np.sign(tensors[name]) * np.float32(0.5)
    tensors[name][:, ::2] = 0
    quantisation = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": mode}
    model = read_checkpoint(write_folder(tmp_path / "m", config_json(SMALL, quantization_config=quantisation), tensors))
    linear = next(iter(model.layers)).linears["q"]
    np.testing.assert_array_equal(linear.trits, np.sign(tensors[name]).astype(np.int8))
    assert linear.scale == (pytest.approx(0.25) if mode else 0.5)


@pytest.mark.parametrize(("linear_class", "value"), [("autobitlinear", 0.25), ("bitlinear", 4.0), (..., 4.0)])
def test_the_packed_scale_multiplies_or_divides(tmp_path, linear_class, value):
    tensors = masters(SMALL)
    quantisation = {"quant_method": "bitnet", "linear_class": linear_class, "quantization_mode": "offline"}
    quantisation = {k: v for k, v in quantisation.items() if v is not ...}
    folder = write_folder(tmp_path / "p", config_json(SMALL, quantization_config=quantisation), packed(tensors, 0.25))
    online = write_folder(tmp_path / "o", config_json(SMALL), tensors)
    for left, right in zip(read_checkpoint(folder).layers, read_checkpoint(online).layers, strict=True):
        for name, linear in left.linears.items():
            assert linear.scale == value
            np.testing.assert_array_equal(linear.trits, right.linears[name].trits, strict=True)


def test_bits_of_a_packed_byte_are_the_four_quarters():
    assert unpack_quarters(np.array([[0b11_10_01_00]], np.uint8)).tolist() == [[-1], [0], [1], [2]]


def test_1bitllm_names(tmp_path):
    renamed = {name.replace("attn_sub_norm", "inner_attn_ln").replace("ffn_sub_norm", "ffn_layernorm"):
               array for name, array in masters(SMALL).items()}
    renamed["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(4, np.float32)
    data = config_json(SMALL, model_type="llama", architectures=["BitnetForCausalLM"], quantization_config=...,
                       weight_bits=1, input_bits=8, rope_parameters=..., rope_theta=SMALL.rope_theta,
                       rope_scaling=None)
    model = read_checkpoint(write_folder(tmp_path / "small", data, renamed))
    assert model.config == SMALL
    np.testing.assert_array_equal(model.layers[1].gains["ffn_sub"], renamed["model.layers.1.mlp.ffn_layernorm.weight"])


def test_shards(tmp_path):
    tensors = masters(PLAIN)
    folder = write_folder(tmp_path / "plain", config_json(PLAIN), tensors)
    whole = read_checkpoint(folder)
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for part, names in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2])):
        save_file({name: tensors[name] for name in names}, folder / f"model-{part}.safetensors")
        weight_map |= dict.fromkeys(names, f"model-{part}.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    same_trits(whole, read_checkpoint(folder), 0)

    def refused(changed, message):
        index.write_text(json.dumps({"weight_map": changed}))
        with pytest.raises(ModelError, match=message):
            read_checkpoint(folder)

    refused(weight_map | {"model.norm.weight": "../x"}, "model.norm.weight: expected a file beside the index")
    refused(weight_map | {"model.norm.weight": "gone.safetensors"},
            "expected the 3 files that it lists beside it, found 2: gone.safetensors is missing")
    swapped = {"model-0.safetensors": "model-1.safetensors", "model-1.safetensors": "model-0.safetensors"}
    refused(weight_map | {"model.norm.weight": swapped[weight_map["model.norm.weight"]]},
            "model.norm.weight: is missing, though model.safetensors.index.json lists it")
    refused([], "weight_map: expected an object, found list")


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "small", config_json(SMALL), masters(SMALL))


def read_all(folder):
    return list(read_checkpoint(folder).layers)


def change_tensors(folder, change):
    tensors = {name: array.copy() for name, array in load_file(folder / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


GATE, NORM = "model.layers.1.mlp.gate_proj.weight", "model.layers.0.input_layernorm.weight"


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.pop(GATE), f"tensor {GATE}: is missing"),
    (lambda t: t.pop("model.layers.1.mlp.ffn_sub_norm.weight"),
     "tensor model.layers.1.mlp.ffn_sub_norm.weight: is missing"),
    (lambda t: t.update({GATE: t[GATE].T.copy()}), f"tensor {GATE}: expected shape [44, 24], found [24, 44]"),
    (lambda t: t.update({"model.embed_tokens.weight": t["model.embed_tokens.weight"][:-1]}),
     "tensor model.embed_tokens.weight: expected shape [41, 24], found [40, 24]"),
    (lambda t: t[NORM].__setitem__(3, np.inf), f"tensor {NORM}: expected finite numbers, found NaN or infinity"),
    (lambda t: t[GATE].__setitem__((0, 0), np.nan), f"tensor {GATE}: expected finite numbers, found NaN or infinity"),
    (lambda t: t.update({NORM: t[NORM].astype(np.int32)}),
     f"tensor {NORM}: expected one of F16, BF16, F32, F64, found I32"),
    (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": t[NORM]}),
     "tensor model.layers.0.self_attn.q_proj.bias: expected the tensors of a ternary decoder without biases, "
     "found a bias"),
    (lambda t: t.update({"model.layers.0.self_attn.q_norm.weight": t[NORM]}),
     "tensor model.layers.0.self_attn.q_norm.weight: expected the tensors of a ternary decoder without biases, "
     "found an unknown tensor"),
    (lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"] + 1}),
     "tensor lm_head.weight: expected the embedding, as tie_word_embeddings is true, found other values"),
])
def test_damaged_tensors_are_named(folder, change, message):
    change_tensors(folder, change)
    with pytest.raises(ModelError) as error:
        read_all(folder)
    assert str(error.value) == f"{folder / 'model.safetensors'}: {message}"


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t[f"{GATE}_scale"].__setitem__(0, np.nan),
     f"tensor {GATE}_scale: expected finite numbers, found NaN or infinity"),
    (lambda t: t[f"{GATE}_scale"].__setitem__(0, -1.0), f"tensor {GATE}_scale: expected a positive scale, found -1.0"),
    (lambda t: t.pop(f"{GATE}_scale"), f"tensor {GATE}_scale: is missing"),
    (lambda t: t.update({f"{GATE}_scale": np.ones(2, np.float32)}),
     f"tensor {GATE}_scale: expected shape [1], found [2]"),
    (lambda t: t[GATE].__setitem__((0, 0), 0b00_11_00_00), f"tensor {GATE}: expected two-bit codes 0 to 2, found 3"),
    (lambda t: t.update({GATE: t[GATE][:-1]}), f"tensor {GATE}: expected shape [11, 24], found [10, 24]"),
    (lambda t: (t.update({GATE: t[GATE].astype(np.float32)}), t.pop(f"{GATE}_scale")),
     f"tensor {GATE}: expected packed U8 weights, as config.json says, found F32"),
])
def test_damaged_packed_tensors_are_named(tmp_path, change, message):
    quantisation = {"quant_method": "bitnet", "quantization_mode": "offline"}
    folder = write_folder(tmp_path / "small", config_json(SMALL, quantization_config=quantisation),
                          packed(masters(SMALL), 2.0))
    change_tensors(folder, change)
    with pytest.raises(ModelError) as error:
        read_all(folder)
    assert str(error.value) == f"{folder / 'model.safetensors'}: {message}"


def test_packed_weights_in_an_online_model_are_refused(folder):
    change_tensors(folder, lambda t: t.update(packed(t, 2.0)))
    with pytest.raises(ModelError, match="q_proj.weight: expected float masters, as config.json says, found U8"):
        read_all(folder)


def test_a_truncated_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="model.safetensors: expected a whole safetensors file, found .*cut short"):
        read_checkpoint(folder)


def test_a_tokenizer_beside_the_model_is_read_and_must_fit(folder):
    assert read_checkpoint(folder).text is None
    for largest in (40, 41):
        text = tokenizer_json({"a": 0, "b": largest})
        (folder / "tokenizer.json").write_text(text)
        if largest < SMALL.vocab_size:
            assert read_checkpoint(folder).text == TextParts(text, around=Around())
        else:
            with pytest.raises(ModelError, match="tokenizer.json: .*vocab_size of 41, found 41"):
                read_checkpoint(folder)


def test_a_single_file_goes_before_an_index(tmp_path):
    """As transformers reads them: the index is a leftover of an earlier upload, its shards are gone."""
    folder = write_folder(tmp_path / "plain", config_json(PLAIN), masters(PLAIN))
    whole = read_checkpoint(folder)
    stale = {"weight_map": {"model.norm.weight": "model-00001-of-00009.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(stale))
    same_trits(whole, read_checkpoint(folder), 0)


@pytest.mark.parametrize(("names", "found"), [
    ([], "neither"), (["pytorch_model.bin"], "pytorch_model.bin: save the model as safetensors"),
    (["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"],
     "pytorch_model-00001-of-00002.bin: save the model as safetensors"),
    (["other.safetensors", "consolidated.00.pth"], "consolidated.00.pth: convert it with transformers"),
    (["adapter_model.safetensors"], "adapter_model.safetensors, an adapter: merge it into its model"),
    (["weights.safetensors"], "weights.safetensors")])
def test_a_folder_without_weights_says_what_it_holds(tmp_path, names, found):
    (tmp_path / "config.json").write_text("{}")
    for name in names:
        (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError) as error:
        read_checkpoint(tmp_path)
    expected = "expected model.safetensors or model.safetensors.index.json"
    assert str(error.value) == f"{tmp_path}: {expected}, found {found}"


def test_a_link_to_weights_that_are_gone(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "blob")
    with pytest.raises(ModelError, match="found model.safetensors, a link to what is not there$"):
        read_checkpoint(tmp_path)


def test_an_entry_that_keeps_a_linear_layer_is_refused(tmp_path):
    def converted(kept):
        quantisation = {"quant_method": "bitnet", "quantization_mode": "online", "modules_to_not_convert": kept}
        return read_checkpoint(write_folder(tmp_path / "m", config_json(SMALL, quantization_config=quantisation),
                                            masters(SMALL)))

    same_trits(converted(None), converted(["model.norm", "lm_head", "model.embed_tokens", None, "model.layers.7"]), 0)
    with pytest.raises(ModelError) as error:
        converted(["lm_head", "layers.1"])
    assert str(error.value) == (
        f"{tmp_path / 'm' / 'config.json'}: modules_to_not_convert: expected no linear layer of a block, found "
        "'layers.1', which keeps model.layers.1.self_attn.q_proj")


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 12345\n"


@pytest.mark.parametrize(("content", "kind"), [
    (b"", "an empty file"), (b"GGML", "a file of another kind"), (b"\0" * 99, "a file that begins with zeros"),
    (LFS, "a Git LFS pointer in place of the file: fetch it with git lfs pull"),
    (b"PK\x03\x04archive/data.pkl", "a PyTorch file or another zip archive: save its tensors as safetensors"),
    (b"\n <!DOCTYPE html><html>", "an HTML or XML page in place of the file: download it again"),
    (b"../../blobs/4665", "the path that a symbolic link leads to in place of the link"),
    (b'{"model_type": "bitnet"}', "JSON text: give the folder that holds it beside config.json"),
    (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "a safetensors file: give the folder that holds it beside config.json")])
def test_a_file_that_is_no_gguf_file_says_what_it_is(tmp_path, content, kind):
    path = tmp_path / "model.gguf"  # whatever its name
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        read_checkpoint(path)
    assert str(error.value).startswith(f"{path}: expected a Hugging Face folder or a GGUF file, found {kind}")


@pytest.mark.parametrize(("name", "expected"), [("model.safetensors", "a safetensors file"), ("config.json", "JSON")])
def test_a_pointer_in_a_folder_is_named(folder, name, expected):
    (folder / name).write_bytes(LFS)
    with pytest.raises(ModelError) as error:
        read_checkpoint(folder)
    assert str(error.value) == (f"{folder / name}: expected {expected}, found a Git LFS pointer in place of the file: "
                                "fetch it with git lfs pull")


def test_what_is_not_a_checkpoint(tmp_path):
    with pytest.raises(ModelError, match="no checkpoint at .*missing"):
        read_checkpoint(tmp_path / "missing")
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(ModelError, match="link is a link to gone, which is not there"):
        read_checkpoint(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="pipe: expected .* found neither file nor folder"):
        read_checkpoint(tmp_path / "pipe")
    with pytest.raises(ModelError, match="expected model.safetensors or model.safetensors.index.json, found neither"):
        read_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="--activation is for GGUF files; config.json says what the model has"):
        read_checkpoint(tmp_path, activation="silu")
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="expected a Hugging Face folder; it holds m.gguf: give that file"):
        read_checkpoint(tmp_path)
    (tmp_path / "snapshots" / "0c1d").mkdir(parents=True)
    with pytest.raises(ModelError, match="it is a cache of them: give .*snapshots/0c1d$"):
        read_checkpoint(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ModelError, match="is already in this project's format"):
        read_checkpoint(tmp_path)
