"""A Hugging Face `config.json` of a ternary model: its shape, and how its weights are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.config import ACTIVATIONS, HOST_ACTIVATIONS, TRAINED_TYPE, ModelConfig
from models.errors import ModelError, located
from models.formats.naming import chosen_name, source_name
from models.json_file import read_object, read_optional

__all__ = ["Storage", "read_config"]

_NAMES = {"vocab_size": "vocab_size", "hidden_size": "hidden_size", "intermediate_size": "ffn_size",
          "num_hidden_layers": "layers", "num_attention_heads": "heads", "max_position_embeddings": "context",
          "rms_norm_eps": "rms_eps", "hidden_act": "activation"}


_TYPES = ("bitnet", "llama", "qwen3")
_FOREIGN = {
    **dict.fromkeys(("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "falcon_h1", "jamba", "lfm2"),
                    "hybrid attention with linear layers, which the machine does not compute"),
    **dict.fromkeys(("hgrn_bit", "mamba", "mamba2", "rwkv7"),
                    "a recurrence in place of attention, which the machine does not compute"),
    **dict.fromkeys(("qwen3_moe", "qwen2_moe", "mixtral"), "a mixture of experts, which the machine does not compute"),
    "minicpm": "scaled embeddings, residuals and logits, which the machine does not compute",
    "bert": "an embedding model, which gives no logits"}
"""Others that ternary models have, and what they need."""


@dataclass(frozen=True)
class Storage:
    """How the ternary weights lie in the file.

    packed: U8 with a scale each (True), float masters (False), or whatever the tensors are (None).
    scale_divides: whether a stored scale divides (`bitlinear`) or multiplies (`autobitlinear`).
    unconverted: names of modules that stayed as they were, as the config spells them.
    ternary: no quantisation is named, so that the weights are run as they are and have to be ternary already.
    """

    packed: bool | None
    scale_divides: bool
    unconverted: tuple[str, ...] = ()
    ternary: bool = False


def read_config(path: Path, *, sub_norms: bool, own_head: bool) -> tuple[ModelConfig, Storage]:
    """Parse a `config.json`. `ModelError` for anything that the machine, or this reader, does not know.

    sub_norms, own_head: whether the file holds sub-norm and head tensors, for configs that do not say.
    """
    source = _Config(path, read_object(path))
    return source.shape(sub_norms, own_head), source.storage()


class _Config:
    def __init__(self, path: Path, data: dict):
        self.path, self.data = path, data

    def bad(self, name: str, expected: str, found: object) -> ModelError:
        return ModelError(f"{self.path}: {name}: expected {expected}, found {found!r}")

    def section(self, name: str) -> dict:
        """A nested object, empty where it is absent or null."""
        value = self.data.get(name) or {}
        if not isinstance(value, dict):
            raise self.bad(name, "an object", value)
        return value

    def shape(self, sub_norms: bool, own_head: bool) -> ModelConfig:
        model_type = self.data.get("model_type")
        if model_type not in (*_TYPES, TRAINED_TYPE):
            error = self.bad("model_type", ", ".join(_TYPES[:-1]) + f" or {_TYPES[-1]}", model_type)
            known = isinstance(model_type, str) and model_type in _FOREIGN
            raise ModelError(f"{error}: {_FOREIGN[model_type]}") if known else error
        self.check_attention()
        for name in ("attention_bias", "mlp_bias"):
            if self.data.get(name):
                raise self.bad(name, "no bias", self.data[name])
        for name in _NAMES:
            if self.data.get(name) is None:
                raise ModelError(f"{self.path}: {name} is missing")
        if model_type != TRAINED_TYPE and self.data["hidden_act"] in HOST_ACTIVATIONS:
            raise self.bad("hidden_act", f"one of {', '.join(ACTIVATIONS)}", self.data["hidden_act"])
        values = {ours: self.data[theirs] for theirs, ours in _NAMES.items()}
        # 1bitLLM's models call themselves llama, but their architecture has the sub-norms
        bitnet = model_type in ("bitnet", TRAINED_TYPE) or (
            "bitnetforcausallm" in str(self.data.get("architectures")).lower())
        head_dim, theta, eos_ids = self.head_dim(), self.rope_theta(), self.eos_ids()
        kv_heads = self.data.get("num_key_value_heads")
        with located(self.path):
            return ModelConfig(
                name=self.name(), **values, head_dim=head_dim,
                kv_heads=values["heads"] if kv_heads is None else kv_heads,
                sub_norms=sub_norms or bitnet,
                tied_head=self.data.get("tie_word_embeddings", not own_head), rope_theta=theta,
                norm=self.data.get("norm", "rmsnorm") if model_type == TRAINED_TYPE else "rmsnorm",
                bos_id=self.data.get("bos_token_id"), eos_ids=eos_ids, qk_norm=model_type == "qwen3")

    def check_attention(self) -> None:
        """`ModelError` for layers that do not attend to all tokens before."""
        if self.data.get("use_sliding_window"):
            raise self.bad("use_sliding_window", "attention to all tokens before", True)
        kinds = self.data.get("layer_types") or []
        if not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds):
            other = [kind for kind in kinds if kind != "full_attention"][:1] if isinstance(kinds, list) else kinds
            raise self.bad("layer_types", "full_attention alone", other)

    def name(self) -> str:
        """The folder's; what the config says of its own name is where somebody once had it."""
        former = str(self.data.get("_name_or_path") or "").rpartition("/")[2]
        return chosen_name([source_name(self.path.parent), former])

    def head_dim(self) -> object:
        given, hidden, heads = (self.data.get(k) for k in ("head_dim", "hidden_size", "num_attention_heads"))
        if given is not None or not (isinstance(hidden, int) and isinstance(heads, int) and heads > 0):
            return given  # ModelConfig names what is wrong
        if hidden % heads:
            raise self.bad("num_attention_heads", f"a divisor of hidden_size {hidden}, as head_dim is absent", heads)
        return hidden // heads

    def rope_theta(self) -> object:
        """θ from `rope_parameters` (newer) or the top level (older); no scaling is known."""
        parameters = self.section("rope_parameters")
        for name, section in (("rope_parameters", parameters), ("rope_scaling", self.section("rope_scaling"))):
            kind = section.get("rope_type", section.get("type", "default"))
            if kind != "default" or section.get("factor", 1) != 1:
                raise self.bad(name, "RoPE without scaling", kind)
        for section in (self.data, parameters):
            if section.get("partial_rotary_factor", 1) != 1:
                raise self.bad("partial_rotary_factor", "RoPE over the whole head", section["partial_rotary_factor"])
        newer, older = parameters.get("rope_theta"), self.data.get("rope_theta")
        if newer is None and older is None:
            raise ModelError(f"{self.path}: rope_theta is missing")
        if newer is not None and older is not None and newer != older:
            raise self.bad("rope_theta", f"{newer!r} as in rope_parameters", older)
        return older if newer is None else newer

    def eos_ids(self) -> tuple:
        """End tokens of the config and, beside it, of `generation_config.json`."""
        generation = self.path.with_name("generation_config.json")
        found: list = []
        for data in (self.data, read_optional(generation)):
            value = data.get("eos_token_id")
            found += value if isinstance(value, list) else [] if value is None else [value]
        return tuple(token for i, token in enumerate(found) if token not in found[:i])

    def storage(self) -> Storage:
        """The quantisation: `quantization_config` of method bitnet, or 1bitLLM's `weight_bits`."""
        quantisation = self.data.get("quantization_config")
        if quantisation is None:
            bits = self.data.get("weight_bits"), self.data.get("input_bits")
            if bits == (None, None) and self.data.get("quantization") is None and (
                    self.data.get("model_type") in ("llama", "qwen3")):
                return Storage(packed=False, scale_divides=False, ternary=True)
            if bits != (1, 8):
                raise self.bad("quantization_config", "a ternary model: quant_method bitnet, or weight_bits 1 and "
                               "input_bits 8", quantisation if bits == (None, None) else bits)
            return Storage(packed=False, scale_divides=False)
        quantisation = self.section("quantization_config")
        if (method := quantisation.get("quant_method")) != "bitnet":
            raise self.bad("quant_method", "bitnet", method)
        if (linear := quantisation.get("linear_class", "bitlinear")) not in ("bitlinear", "autobitlinear"):
            raise self.bad("linear_class", "bitlinear or autobitlinear", linear)
        if (mode := quantisation.get("quantization_mode")) not in (None, "online", "offline"):
            raise self.bad("quantization_mode", "online or offline", mode)
        if quantisation.get("use_rms_norm"):
            raise self.bad("use_rms_norm", "no norm inside the linear layers", quantisation["use_rms_norm"])
        kept = quantisation.get("modules_to_not_convert") or []
        if not isinstance(kept, list) or not all(name is None or isinstance(name, str) for name in kept):
            raise self.bad("modules_to_not_convert", "a list of names", kept)
        return Storage({None: None, "online": False, "offline": True}[mode], linear == "bitlinear",
                       tuple(dict.fromkeys(name for name in kept if name)))
