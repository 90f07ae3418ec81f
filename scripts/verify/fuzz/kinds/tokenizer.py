"""Tokenizer files of every kind, and the small ones beside them, in a folder whose model is right."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random

from scripts.verify.fuzz.damage.json_values import damage_json, json_bytes, strange_value
from scripts.verify.fuzz.damage.protobuf import damage_message, message_bytes
from scripts.verify.fuzz.damage.raw import damage_bytes, damage_text
from scripts.verify.fuzz.kinds.folder import write_folder
from scripts.verify.fuzz.kinds.huggingface import folder_files
from scripts.verify.fuzz.kinds.kind import Kind, Step, convert_step, model_steps
from scripts.verify.fuzz.seeds import CHATML, byte_level_words, sentencepiece, tekken_json, tokenizer_jsons

__all__ = ["TokenizerKind"]

_PATTERNS = ("", "(", "a{99999}", "(a+)+$", "(?:.*)*", "(.|\\s)*x", "\\p{Nope}", "(?<=a", "[", "\\", "(?R)", "^", "$",
             ".*", "(?i:ß)", "\\b", "(" * 500 + ")" * 500, "(?:a|a|a|a|a|a)*b", "x{0,1000}{0,1000}", "\\K", "(?=.)")
_BESIDE = ("tokenizer_config.json", "added_tokens.json", "special_tokens_map.json", "generation_config.json",
           "chat_template.jinja")


def _fragment(rng: Random) -> object:
    """A part of a `tokenizer.json`, with patterns and numbers out of proportion, or any value."""
    if rng.random() < 0.35:
        return strange_value(rng)
    pattern, text = rng.choice(_PATTERNS), rng.choice(("", " ", "▁", "a", "\x00", "é", "a" * 1000))
    number = rng.choice((0, 1, -1, 300, 2**31, 2**32 - 1, 10**8, 2**63))
    split = {"type": "Split", "pattern": rng.choice(({"Regex": pattern}, {"String": text})),
             "behavior": rng.choice(("Isolated", "Removed", "MergedWithNext", "Contiguous")),
             "invert": rng.random() < 0.3}
    replaced = {"type": "Replace", "pattern": rng.choice(({"Regex": pattern}, {"String": text})),
                "content": rng.choice((text, text * 100))}
    part = rng.choice((
        split, split, replaced, replaced, {"type": "Prepend", "prepend": text}, {"type": "NFKD"}, {"type": "Lowercase"},
        {"type": "Precompiled", "precompiled_charsmap": rng.choice(("", "AAAA", "!!", "/" * 400))},
        {"type": "Metaspace", "replacement": text[:1] or "▁", "prepend_scheme": rng.choice(("always", "first", "x"))},
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": rng.random() < 0.5},
        {"type": "FixedLength", "length": number}, {"type": "Digits", "individual_digits": True},
        {"type": "Punctuation", "behavior": "Removed"}, {"type": "CharDelimiterSplit", "delimiter": text[:1]},
        {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "UnicodeScripts"}, {"type": "Fuse"},
        {"type": "Strip", "content": text[:1], "start": number, "stop": number},
        {"type": "CTC", "pad_token": text, "word_delimiter_token": "|", "cleanup": True},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": text, "type_id": 0}},
                                                  {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
         "special_tokens": {text: {"id": text, "ids": [number] * rng.choice((1, 1000)), "tokens": [text]}}},
        {"max_length": number, "strategy": "LongestFirst", "stride": number, "direction": "Right"},
        {"strategy": {"Fixed": number}, "direction": "Left", "pad_to_multiple_of": number, "pad_id": number,
         "pad_type_id": 0, "pad_token": text},
        {"id": number, "content": text, "single_word": False, "lstrip": True, "rstrip": True, "normalized": True,
         "special": rng.random() < 0.5},
        {"type": "BPE", "vocab": {"a": 0, "b": number}, "merges": [], "dropout": 0.5, "unk_token": "zz"},
        {"type": "Unigram", "vocab": [["a", 0.0]] * rng.choice((1, 300)), "unk_id": number, "byte_fallback": True},
        {"type": "WordPiece", "vocab": {"a": number}, "unk_token": "a", "max_input_chars_per_word": number,
         "continuing_subword_prefix": text},
        {"type": "WordLevel", "vocab": {"a": 0, "b": 0}, "unk_token": text}))
    for name in ("normalizers", "pretokenizers", "decoders", "processors"):
        if rng.random() < 0.1:
            return {"type": "Sequence", name: [part] * rng.choice((1, 2, 50))}
    return part


class TokenizerKind(Kind):
    """One tokenizer file, damaged, or one of the files beside it."""

    def __init__(self, folder: Path):
        files = folder_files("packed")
        self._model = {name: files[name] for name in ("config.json", "model.safetensors", "generation_config.json")}
        vocabulary, merges = byte_level_words()
        self._vocabulary, self._merges = vocabulary, "#version: 0.2\n" + "\n".join(merges) + "\n"

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        hit = damaged and rng.random() < 0.7  # the tokenizer itself; otherwise what lies beside it
        make = rng.choice((self._tokenizer_json, self._tokenizer_json, self._tokenizer_model, self._tekken,
                           self._vocab))
        files = dict(self._model) | make(rng, hit)
        if damaged and (not hit or rng.random() < 0.2):
            name = rng.choice([name for name in files if name in _BESIDE])
            if name.endswith(".jinja"):
                files[name] = damage_bytes(files[name], rng)
            else:
                files[name] = damage_json(json.loads(files[name]), rng, _beside_fragment)
        write_folder(folder / "model", files, rng, damaged)
        return [convert_step("model"), *model_steps("out")]

    def _tokenizer_json(self, rng: Random, hit: bool) -> dict[str, bytes]:
        value = copy.deepcopy(rng.choice(tokenizer_jsons()))
        count = 1 + max(token["id"] for token in value["added_tokens"])
        vocabulary = value["model"]["vocab"]
        beside = _beside(max(count, len(vocabulary)), "<|im_end|>")
        if hit and rng.random() < 0.5:  # a part of the right kind in its place
            part = rng.choice(("normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding",
                               "model", "added_tokens"))
            value[part] = [_fragment(rng)] if part == "added_tokens" else _fragment(rng)
            return beside | {"tokenizer.json": json_bytes(value)}
        return beside | {"tokenizer.json": damage_json(value, rng, _fragment) if hit else json_bytes(value)}

    def _tokenizer_model(self, rng: Random, hit: bool) -> dict[str, bytes]:
        message = sentencepiece(rng.choice((1, 2)))
        data = damage_message(message, rng) if hit else message_bytes(message)
        return _beside(sum(number == 1 for number, _ in message), "</s>") | {"tokenizer.model": data}

    def _tekken(self, rng: Random, hit: bool) -> dict[str, bytes]:
        value = tekken_json()
        if hit and rng.random() < 0.3:
            value["config"]["pattern"] = rng.choice(_PATTERNS)
            return {"tekken.json": json_bytes(value)}
        beside = {"tokenizer_config.json": json_bytes({"chat_template": CHATML})}
        return beside | {"tekken.json": damage_json(value, rng) if hit else json_bytes(value)}

    def _vocab(self, rng: Random, hit: bool) -> dict[str, bytes]:
        vocabulary, merges = json_bytes(self._vocabulary), self._merges.encode()
        if hit and rng.random() < 0.6:
            vocabulary = damage_json(self._vocabulary, rng)
        elif hit:
            merges = rng.choice((damage_text(self._merges, rng).encode(errors="surrogatepass"),
                                 damage_bytes(merges, rng), merges * 50))
        kind = rng.choice(("GPT2Tokenizer", "Qwen2TokenizerFast"))
        return _beside(len(self._vocabulary), "<|im_end|>", kind) | {"vocab.json": vocabulary, "merges.txt": merges}


def _beside(count: int, end: str, kind: str = "PreTrainedTokenizerFast") -> dict[str, bytes]:
    """The files beside a tokenizer of `count` tokens, with one more token in two of them."""
    extra = {"content": "<|extra|>", "special": True, "lstrip": False, "rstrip": False, "normalized": False}
    return {"tokenizer_config.json": json_bytes({"tokenizer_class": kind, "eos_token": end, "add_bos_token": False,
                                                 "added_tokens_decoder": {str(count): extra}}),
            "added_tokens.json": json_bytes({"<|extra|>": count}),
            "special_tokens_map.json": json_bytes({"eos_token": {"content": end},
                                                   "additional_special_tokens": [extra]}),
            "chat_template.jinja": CHATML.encode()}


def _beside_fragment(rng: Random) -> object:
    """A value as the files beside a tokenizer have it, or any."""
    number = rng.choice((0, 1, 290, 299, 300, -1, 2**31, 10**8, 2**63))
    token = {"content": rng.choice(("<|im_end|>", "<|new|>", "", " ", "a" * 1000)), "special": True, "lstrip": True}
    return rng.choice((strange_value(rng), token, {str(number): token}, {token["content"]: number}, number, [number],
                       [token, token["content"]], token["content"], {"default": "{{ x }}"},
                       [{"name": "default", "template": "{{ messages }}"}]))
