"""Tokenizers that make the library panic, abort, crash or never end, each in one line and with nothing beside it."""

import base64
import json

import pytest

from models.errors import ModelError
from models.vocabulary import read_folder, trial
from models.vocabulary.tokenizer_json import check_tokenizer, load_tokenizer
from models.vocabulary.trial import try_once, try_tokenizer

BPE = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
       "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
       "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
UNIGRAM = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]], "byte_fallback": False}
WORD_PIECE = {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100, "vocab": {"<unk>": 0, "a": 1, "##a": 2}}


def tokenizer(model, **parts) -> str:
    return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                       "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model} | parts)


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def charsmap(data):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


BAD = {
    "a prefix longer than its token": (tokenizer(BPE | {"continuing_subword_prefix": "@@@@"}), ": range end index"),
    "a prefix within a character": (
        tokenizer(BPE | {"vocab": {"a": 0, "é": 1, "aé": 2}, "merges": [["a", "é"]], "continuing_subword_prefix": "."}),
        " that can be used: it crashes, or takes more than 1536 MiB of memory"),
    "a small charsmap": (tokenizer(UNIGRAM, normalizer=charsmap(b"\4\0\0\0ab")), ': Precompiled: Error("Cannot parse'),
    "a charsmap of gigabytes": (tokenizer(UNIGRAM, normalizer=charsmap(b"\xfc" * 8)),
                                " that can be used: it crashes, or takes more than 1536 MiB of memory"),
    "pieces of nothing": (tokenizer(BPE, pre_tokenizer={"type": "FixedLength", "length": 0}), ": chunk size must be"),
    "a regex without end": (tokenizer(BPE, pre_tokenizer=split("(?:k|kk)+$")), ": Onig: Regex search error"),
    "text that grows": (tokenizer(BPE, normalizer=replace("b", "a" * 10_000)), ": a text of "),
    "text that grows again and again": (
        tokenizer(BPE, normalizer={"type": "Sequence", "normalizers": [replace("a", "aaaa")] * 20}),
        " that can be used: it "),
    "text that grows when decoded": (tokenizer(BPE, decoder=replace("a", "a" * 1_000_000)), ": 3 ids become a text"),
    "words of any length": (tokenizer(WORD_PIECE | {"max_input_chars_per_word": 10**9}),
                            " that can be used: it takes more than 2 seconds"),
    "a long token": (tokenizer(BPE | {"vocab": BPE["vocab"] | {"é" * 1025: 3}}),
                     ": token 3 has 1,025 characters, more than 1,024"),
    "a very long unigram piece": (tokenizer(UNIGRAM | {"vocab": [*UNIGRAM["vocab"], ["a" * 2_000_000, -2.0]]}), ""),
    "half a surrogate pair": (json.dumps({"a": 1}) + "\ud800", ": character 8 is half a surrogate pair"),
    "depth": ('{"a":' * 5000, ": "),
}


@pytest.mark.parametrize("name", BAD)
def test_a_tokenizer_that_cannot_be_used_is_one_line(name, capfd):
    text, message = BAD[name]
    with pytest.raises(ModelError) as error:
        check_tokenizer(text, 1000, "FILE")
    assert str(error.value).startswith(f"FILE: expected a tokenizer{message}") and "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", [
    tokenizer(BPE), tokenizer(UNIGRAM), tokenizer(WORD_PIECE), tokenizer(UNIGRAM | {"unk_id": None}),
    tokenizer(BPE | {"vocab": BPE["vocab"] | {" " * 1024: 3}}), tokenizer(BPE, pre_tokenizer=split(r"\s+(?!\S)|\s+")),
    tokenizer(BPE, normalizer={"type": "NFKD"}),
], ids=["bpe", "unigram", "words", "no unknown token", "long token", "regex", "compatibility"])
def test_a_sound_tokenizer_passes(text):
    assert try_tokenizer(text, "FILE is not a tokenizer")[1] in (1, 2, 3)
    check_tokenizer(text, 4, "FILE")


@pytest.mark.parametrize("index", [1000, 10**8, 2**32 - 1])
def test_an_id_beyond_the_models_is_refused(index):
    with pytest.raises(ModelError, match=rf"expected ids below the model's vocab_size of 1000, found {index} \('ab'\)"):
        check_tokenizer(tokenizer(BPE | {"vocab": {"a": 0, "b": 1, "ab": index}}), 1000, "FILE")


@pytest.mark.parametrize("model, index, message", [
    (BPE, 10**8, "post_processor: expected ids below the model's vocab_size of 10, found 100000000"),
    ({"type": "WordLevel", "vocab": {"b": 1}, "unk_token": "<unk>"}, 1, "expected a tokenizer: WordLevel error"),
])
def test_what_goes_around_a_prompt_is_checked(tmp_path, model, index, message):
    start = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "b", "type_id": 0}},
                                                      {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
             "special_tokens": {"b": {"id": "b", "ids": [index], "tokens": ["b"]}}}
    (tmp_path / "tokenizer.json").write_text(tokenizer(model, post_processor=start))
    with pytest.raises(ModelError, match=f"tokenizer.json: {message}"):
        read_folder(tmp_path, 10)


def test_added_tokens_of_a_tokenizer_are_checked(tmp_path):
    added = dict(content="<x>", special=True, normalized=False, lstrip=False, rstrip=False, single_word=False)
    for token, message in ((added | {"id": 10**8}, "found 100000000"), (added | {"id": 3, "more": 1}, "")):
        (tmp_path / "tokenizer.json").write_text(tokenizer(BPE, added_tokens=[token]))
        if message:
            with pytest.raises(ModelError, match=f"added token '<x>': expected an id below .* of 10, {message}"):
                read_folder(tmp_path, 10)
        else:
            assert read_folder(tmp_path, 10)


def test_a_stated_size_at_most(monkeypatch):
    monkeypatch.setattr(trial, "LARGEST_TEXT", 100)
    with pytest.raises(ModelError, match="FILE: expected a tokenizer of at most 100 bytes: it has "):
        check_tokenizer(tokenizer(BPE), 1000, "FILE")


def test_a_model_folders_tokenizer_is_tried_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    tried = []
    monkeypatch.setattr(trial, "try_tokenizer", lambda *arguments: tried.append(arguments))
    for text, count in (("one", 1), ("one", 1), ("two", 2), ("one", 2)):
        try_once(text, "")
        assert len(tried) == count
    monkeypatch.setenv("TRITLOOM_CACHE", "/dev/null/none")  # no folder for it
    for count in (3, 4):
        try_once("one", "")
        assert len(tried) == count


@pytest.mark.parametrize("name", ["a prefix within a character", "a regex without end", "depth"])
def test_a_model_folders_tokenizer_that_cannot_be_used_is_one_line(tmp_path, monkeypatch, capfd, name):
    """Twice: what failed is not remembered."""
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tokenizer.json"
    path.write_text(BAD[name][0])
    for _ in range(2):
        with pytest.raises(ModelError) as error:
            load_tokenizer(path)
        assert str(error.value).startswith(f"{path} is not a tokenizer") and "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
