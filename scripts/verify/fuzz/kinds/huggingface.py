"""Hugging Face folders: configs, tensors in one file or in shards, and the small files beside them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from scripts.verify.fuzz.damage.json_values import damage_json, json_bytes, strange_value
from scripts.verify.fuzz.damage.raw import damage_bytes
from scripts.verify.fuzz.damage.safetensors import TensorFile, damage_tensors, parse_tensors, tensor_of
from scripts.verify.fuzz.kinds.folder import write_folder
from scripts.verify.fuzz.kinds.kind import Kind, Step, convert_step, model_steps
from scripts.verify.fuzz.seeds import BITNET, CHATML, LLAMA, byte_level_json, config_json, masters, packed

__all__ = ["HuggingFaceKind", "folder_files"]

_INDEX = "model.safetensors.index.json"
_OLD_NAMES = {"attn_sub_norm": "inner_attn_ln", "ffn_sub_norm": "ffn_layernorm"}
_FRAGMENTS = (
    {"rope_type": "llama3", "factor": 8.0, "rope_theta": 1e4}, {"type": "linear", "factor": 1}, "bitnet", "llama",
    "silu", "relu2", ["BitnetForCausalLM"], {"quant_method": "bitnet", "linear_class": "autobitlinear"},
    {"quant_method": "gptq"}, ["lm_head", "model.layers.0.mlp.down_proj"], [0, 1, 2], {"content": "<|im_end|>"},
    {"0": {"content": "<|im_end|>", "special": True}}, {"300": {"content": "x"}}, "model.safetensors",
    "../x.safetensors")


def folder_files(name: str) -> dict[str, bytes]:
    """The files of a whole folder: masters, packed, sharded, llama (packed, its own head) or older (other names)."""
    config = LLAMA if name == "llama" else BITNET
    tensors = packed(config) if name in ("packed", "llama") else masters(config)
    if name == "older":
        for theirs, older in _OLD_NAMES.items():
            tensors = {key.replace(theirs, older): array for key, array in tensors.items()}
    data = config_json(config)
    if name == "older":
        del data["quantization_config"]
        data |= {"model_type": "llama", "architectures": ["BitnetForCausalLM"], "weight_bits": 1, "input_bits": 8}
    file = TensorFile({key: tensor_of(array) for key, array in tensors.items()})
    files = {"config.json": json_bytes(data), "tokenizer.json": byte_level_json().encode(),
             "generation_config.json": json_bytes({"bos_token_id": None, "eos_token_id": [1, 0], "do_sample": True}),
             "tokenizer_config.json": json_bytes({
                 "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": CHATML, "add_bos_token": False,
                 "bos_token": None, "eos_token": {"content": "<|im_end|>", "special": True},
                 "added_tokens_decoder": {"1": {"content": "<|im_end|>", "special": True}}}),
             "special_tokens_map.json": json_bytes({"eos_token": "<|im_end|>",
                                                    "additional_special_tokens": ["<|im_start|>"]})}
    if name == "sharded":
        keys = list(file.tensors)
        shards = {"a.safetensors": keys[::2], "b.safetensors": keys[1::2]}
        files |= {shard: TensorFile({key: file.tensors[key] for key in part}).to_bytes()
                  for shard, part in shards.items()}
        files[_INDEX] = json_bytes({"metadata": {}, "weight_map": {key: shard for shard, part in shards.items()
                                                                   for key in part}})
    else:
        files["model.safetensors"] = file.to_bytes()
    return files


def _fragment(rng: Random) -> object:
    return rng.choice(_FRAGMENTS) if rng.random() < 0.5 else strange_value(rng)


class HuggingFaceKind(Kind):
    """One or two files of a folder are damaged."""

    def __init__(self, folder: Path):
        self._folders = [folder_files(name) for name in ("masters", "packed", "sharded", "llama", "older")]

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        files = dict(rng.choice(self._folders))
        tensors = [name for name in files if name.endswith(".safetensors")]
        hit = rng.choice(("config.json", "config.json", rng.choice(tensors), rng.choice([*files])))
        if damaged:
            for name in dict.fromkeys((hit, rng.choice([*files])) if rng.random() < 0.3 else (hit,)):
                self._damage(files, name, rng)
        write_folder(folder / "model", files, rng, damaged)
        return [convert_step("model"), *model_steps("out")]

    def _damage(self, files: dict[str, bytes], name: str, rng: Random) -> None:
        data = files[name]
        draw = rng.random()
        if draw < 0.03:
            del files[name]
        elif draw < 0.06:
            files[name] = rng.choice([*files.values()])
        elif draw < 0.1:
            files[name] = damage_bytes(data, rng)
        elif name.endswith(".safetensors"):
            files[name] = damage_tensors(parse_tensors(data), rng)
        else:
            files[name] = damage_json(json.loads(data), rng, _fragment)
