"""Small models and tokenizers that are right, as their makers write them: what the fuzzers damage.

Everything is made by code from fixed seeds, with one vocabulary size, so that parts can be put together at will.
"""

from __future__ import annotations

import base64
import json
from functools import cache

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel

from models.config import ModelConfig
from models.dequantise import float_model
from models.synth import synthetic_model
from scripts.verify.fuzz.damage.protobuf import Message

__all__ = ["BITNET", "CHATML", "LLAMA", "NAMES", "VOCAB", "byte_level_json", "byte_level_words", "config_json",
           "masters", "packed", "sentencepiece", "tekken_json", "tokenizer_jsons", "ternary"]

VOCAB = 300
"""Ids of every model here; the tokenizers have a few fewer."""

BITNET = ModelConfig(name="seed", vocab_size=VOCAB, hidden_size=16, ffn_size=24, layers=1, heads=2, kv_heads=1,
                     head_dim=8, activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
                     context=256, bos_id=None, eos_ids=(1,))
"""As 2B-4T."""

LLAMA = ModelConfig(**vars(BITNET) | {"activation": "silu", "sub_norms": False, "tied_head": False, "kv_heads": 2})
"""Llama-shaped, with a head of its own."""

CHATML = ("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

NAMES = {"q": ("self_attn.q_proj", "attn_q"), "k": ("self_attn.k_proj", "attn_k"), "v": ("self_attn.v_proj", "attn_v"),
         "o": ("self_attn.o_proj", "attn_output"), "gate": ("mlp.gate_proj", "ffn_gate"),
         "up": ("mlp.up_proj", "ffn_up"), "down": ("mlp.down_proj", "ffn_down"),
         "input": ("input_layernorm", "attn_norm"), "post_attention": ("post_attention_layernorm", "ffn_norm"),
         "attn_sub": ("self_attn.attn_sub_norm", "attn_sub_norm"), "ffn_sub": ("mlp.ffn_sub_norm", "ffn_sub_norm")}
"""Names of a layer's tensors in Hugging Face's files and in GGUF files."""

_SPECIAL = ("<|endoftext|>", "<|im_end|>", "<|im_start|>")
_MERGES = ("h e", "t h", "th e", "i n", "e r", "a n", "Ġ t", "Ġt he", "Ġ a", "o n", "r e")


@cache
def ternary(config: ModelConfig) -> dict[str, np.ndarray]:
    """float32 tensors by Hugging Face's names, the projections ternary already."""
    model = float_model(synthetic_model(config, 1))
    tensors = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.final_gains}
    if model.head is not None:
        tensors["lm_head.weight"] = model.head
    for index, layer in enumerate(model.layers):
        stem = f"model.layers.{index}."
        tensors |= {f"{stem}{NAMES[name][0]}.weight": (linear.trits * np.float32(linear.scale)).astype(np.float32)
                    for name, linear in layer.linears.items()}
        tensors |= {f"{stem}{NAMES[name][0]}.weight": gains for name, gains in layer.gains.items()}
    return tensors


def masters(config: ModelConfig) -> dict[str, np.ndarray]:
    """The same with noise on the projections, as checkpoints of training have."""
    rng = np.random.default_rng(2)
    return {name: array + rng.standard_normal(array.shape, np.float32) / 64 if "_proj" in name else array
            for name, array in ternary(config).items()}


def packed(config: ModelConfig) -> dict[str, np.ndarray]:
    """The same with projections of four trits a byte and a scale beside each."""
    result = {}
    for name, array in ternary(config).items():
        if "_proj" not in name:
            result[name] = array
            continue
        scale = np.abs(array).max()
        codes = (np.rint(array / scale).astype(np.int8) + 1).astype(np.uint8).reshape(4, -1, array.shape[1])
        result[name] = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6
        result[f"{name}_scale"] = np.array([1 / scale], np.float32)
    return result


def config_json(config: ModelConfig) -> dict[str, object]:
    """A `config.json`."""
    kind = ("BitNetForCausalLM", "bitnet") if config.sub_norms else ("LlamaForCausalLM", "llama")
    return {"architectures": [kind[0]], "model_type": kind[1], "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size, "intermediate_size": config.ffn_size,
            "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim, "hidden_act": config.activation,
            "max_position_embeddings": config.context, "rms_norm_eps": config.rms_eps,
            "tie_word_embeddings": config.tied_head, "attention_bias": False, "bos_token_id": None, "eos_token_id": 1,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
            "quantization_config": {"quant_method": "bitnet", "linear_class": "bitlinear",
                                    "modules_to_not_convert": ["lm_head"]}}


@cache
def byte_level_words() -> tuple[dict[str, int], tuple[str, ...]]:
    """Vocabulary and merges of a byte-level BPE, special tokens first."""
    words = [*_SPECIAL, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in _MERGES)]
    return {word: index for index, word in enumerate(words)}, _MERGES


def _special(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in _SPECIAL])
    return tokenizer


@cache
def byte_level_json() -> str:
    """A `tokenizer.json` of byte-level BPE, the kind that most models have."""
    vocabulary, merges = byte_level_words()
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer, tokenizer.decoder = ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", pair="$A $B", special_tokens=[("<|endoftext|>", 0)])
    return _special(tokenizer).to_str()


@cache
def tokenizer_jsons() -> tuple[dict, ...]:
    """A `tokenizer.json` of each kind of model."""
    letters = [*_SPECIAL, "<unk>", *map(chr, range(32, 127))]
    spaced = [*_SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁the", "a", "the"]
    unigram = Tokenizer(models.Unigram([(text, -float(i % 9)) for i, text in enumerate(spaced)], 3, True))
    unigram.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    pieces = Tokenizer(models.WordPiece({text: index for index, text in enumerate([*letters, "##a", "##e"])},
                                        unk_token="<unk>"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    pieces.decoder = decoders.WordPiece()
    words = Tokenizer(models.WordLevel({text: i for i, text in enumerate(letters)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Split("", "isolated")])
    words.enable_truncation(64)
    words.enable_padding(length=4)
    return (json.loads(byte_level_json()), *(json.loads(_special(item).to_str()) for item in (unigram, pieces, words)))


def sentencepiece(kind: int) -> Message:
    """A `tokenizer.model`; kind: 1 unigram, 2 BPE."""
    texts = [("<unk>", 2), ("<s>", 3), ("</s>", 3), *((f"<0x{byte:02X}>", 6) for byte in range(256)),
             *((text, 1) for text in ("▁", "▁t", "he", "▁the", "e", "t", "h", "a", "▁a", "n")), ("<|im_end|>", 4)]
    pieces: Message = [(1, [(1, text.encode()), (2, -float(index)), (3, type_)])
                       for index, (text, type_) in enumerate(texts)]
    return [*pieces, (2, [(3, kind), (4, VOCAB), (35, 1)]), (3, [(1, b"identity"), (3, 1), (4, 0), (5, 1)])]


def tekken_json() -> dict[str, object]:
    """A `tekken.json`."""
    words = [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" t", b"an"]
    return {"config": {"pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
                       "num_vocab_tokens": len(words), "default_vocab_size": len(words) + 10,
                       "default_num_special_tokens": 10, "version": "v3"},
            "vocab": [{"rank": rank, "token_bytes": base64.b64encode(word).decode(),
                       "token_str": word.decode(errors="ignore")} for rank, word in enumerate(words)],
            "special_tokens": [{"rank": rank, "token_str": text, "is_control": True}
                               for rank, text in enumerate(("<unk>", "<s>", "</s>", "[INST]", "[/INST]"))]}
