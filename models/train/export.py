"""A trained network as a Hugging Face folder: `config.json`, `model.safetensors`, `tokenizer.json`.

What has no place in such a checkpoint because a stage computes it lies beside it (`models.train.stages`), and
`config.json` then names a model type that other readers refuse.

The masters stay in float32, unquantised ("online" mode): a reader that ternarises them in float32 gets the
trits and scales of training, which bfloat16 masters would not guarantee.
"""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from models.config import TRAINED_TYPE
from models.errors import ModelError
from models.json_file import read_object
from models.train.network import BitNet
from models.train.recipe import Shape
from models.train.stages import joined_stages, split_stages, stage_files
from models.train.tokenizer import load_tokenizer

__all__ = ["export", "load"]


def config(shape: Shape) -> dict:
    """The `config.json` of a network of this shape."""
    data = {
        "architectures": ["BitNetForCausalLM"],
        "model_type": "bitnet",
        "dtype": "float32",
        "torch_dtype": "float32",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": shape.activation,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": None,
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "online",
        },
    }
    if stage_files(shape):
        data |= {"architectures": [], "model_type": TRAINED_TYPE, "norm": shape.norm, "norm_heads": shape.norm_heads,
                 "kept": shape.kept}
    return data


def export(network: BitNet, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes the files, making `folder` if need be. The tied head is not stored."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, stages = split_stages(network)
    for name, parts in stages.items():
        save_file(parts, str(folder / name), metadata={"format": "pt"})
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(network.shape), indent=1) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))


def load(folder: Path) -> tuple[BitNet, Tokenizer]:
    """The network, computing in float32, and the tokenizer of a folder that `export` wrote; `ModelError` for others."""
    stored = read_object(folder / "config.json")
    try:
        shape = Shape(
            vocab=stored["vocab_size"],
            hidden=stored["hidden_size"],
            ffn=stored["intermediate_size"],
            layers=stored["num_hidden_layers"],
            heads=stored["num_attention_heads"],
            kv_heads=stored["num_key_value_heads"],
            head_dim=stored["head_dim"],
            context=stored["max_position_embeddings"],
            rope_theta=stored["rope_parameters"]["rope_theta"],
            eps=stored["rms_norm_eps"],
            activation=stored["hidden_act"],
            norm=stored.get("norm", Shape.norm),
            norm_heads=stored.get("norm_heads", Shape.norm_heads),
            kept=stored.get("kept", Shape.kept),
        )
        network = BitNet(shape)
        tensors = load_file(str(folder / "model.safetensors"))
        stages = {name: load_file(str(folder / name)) for name in stage_files(shape)}
        network.load_state_dict(joined_stages(tensors, stages))
    except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} is no model that was trained here: {str(error).splitlines()[0]}") from None
    return network.eval(), load_tokenizer(folder / "tokenizer.json")
