"""Small Hugging Face folders, made as their producers make them, to be read and to be damaged."""

import json

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from models.config import LINEARS, ModelConfig

__all__ = ["STEMS", "config_json", "masters", "packed", "tokenizer_json", "write_folder"]

STEMS = {name: f"self_attn.{name}_proj" if name in "qkvo" else f"mlp.{name}_proj" for name in LINEARS}


def masters(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Float32 tensors of an online checkpoint, by Hugging Face names."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    tensors = {"model.embed_tokens.weight": normal(config.vocab_size, config.hidden_size),
               "model.norm.weight": 1 + normal(config.hidden_size) / 8}
    if not config.tied_head:
        tensors["lm_head.weight"] = normal(config.vocab_size, config.hidden_size)
    norms = {"input_layernorm": "input", "post_attention_layernorm": "post_attention",
             "self_attn.attn_sub_norm": "attn_sub", "mlp.ffn_sub_norm": "ffn_sub"}
    for index in range(config.layers):
        for stem, name in norms.items():
            if name in config.gain_sizes:
                tensors[f"model.layers.{index}.{stem}.weight"] = 1 + normal(config.gain_sizes[name]) / 8
        for name, shape in config.linear_shapes.items():
            tensors[f"model.layers.{index}.{STEMS[name]}.weight"] = normal(*shape) / 8
    return tensors


def packed(tensors: dict[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """The same with every projection as U8 and one stored scale; written with loops, from the format's text."""
    result = {}
    for name, array in tensors.items():
        if "_proj" not in name:
            result[name] = array
            continue
        trits = np.clip(np.rint(array / np.abs(array).mean()), -1, 1).astype(int)
        quarter = array.shape[0] // 4
        codes = np.zeros((quarter, array.shape[1]), np.uint8)
        for row in range(quarter):
            for i in range(4):
                codes[row] |= ((trits[i * quarter + row] + 1) << (2 * i)).astype(np.uint8)
        result[name], result[f"{name}_scale"] = codes, np.array([scale], np.float32)
    return result


def config_json(config: ModelConfig, **changes: object) -> dict:
    """A `config.json` of newer transformers; a change to `...` removes the entry."""
    data = {"architectures": ["BitNetForCausalLM" if config.sub_norms else "LlamaForCausalLM"],
            "model_type": "bitnet" if config.sub_norms else "llama", "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size, "intermediate_size": config.ffn_size,
            "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim, "hidden_act": config.activation,
            "max_position_embeddings": config.context, "rms_norm_eps": config.rms_eps,
            "tie_word_embeddings": config.tied_head, "attention_bias": False, "bos_token_id": config.bos_id,
            "eos_token_id": list(config.eos_ids) or None,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
            "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear",
                                    "quantization_mode": "online"}}
    return {name: value for name, value in (data | changes).items() if value is not ...}


def tokenizer_json(vocab: dict[str, int]) -> str:
    """A tokenizer of whole words."""
    return Tokenizer(WordLevel(vocab, unk_token=min(vocab))).to_str()


def write_folder(folder, config_data: dict, tensors: dict[str, np.ndarray]):
    """Write `config.json` and `model.safetensors`; returns the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_data))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
