"""GGUF tokenizers: what goes around a prompt, what ends one, and entries of another type. llama.cpp's rules.

Where llama-cpp-python is installed, every pre-tokenizer's cuts, and whole prompts, are held against llama.cpp itself.
"""

import importlib.util
import json
import os
from pathlib import Path

import gguf
import pytest
from tokenizers import Tokenizer

from models.errors import ModelError
from models.vocabulary import read_gguf
from models.vocabulary.parts import Around
from models.vocabulary.splitting import REFUSED, SPLITTINGS
from tests.models.vocabulary.samples import CORPUS, SAMPLES
from tests.models.vocabulary.test_gguf import byte_level, fields_of, sentencepiece_fields
from tests.models.vocabulary.test_sentencepiece import BYTES, train

PREFIX = "tokenizer.ggml."
NAMED = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|file_sep|>", "[odd]", "[EOS]"]


def with_names(pre: str | None, *, types=(3, 3, 3, 1, 5, 1), **changes) -> dict[str, object]:
    """A byte-level vocabulary with some names behind it."""
    fields = fields_of(byte_level(), pre)
    fields[f"{PREFIX}tokens"] = fields[f"{PREFIX}tokens"] + NAMED
    fields[f"{PREFIX}token_type"] = fields[f"{PREFIX}token_type"] + list(types)
    fields |= {PREFIX + name: value for name, value in changes.items()}
    return {name: value for name, value in fields.items() if value is not None}


def llama_fields(**changes) -> dict[str, object]:
    _, fields = sentencepiece_fields(train(model_type="bpe", **BYTES), "llama")
    fields |= {PREFIX + name: value for name, value in changes.items()}
    return {name: value for name, value in fields.items() if value is not None}


def around(fields) -> Around:
    return read_gguf(fields, 1000, "model.gguf").around


@pytest.mark.parametrize("pre, changes, before, after", [
    ("gpt-2", {}, (), ()),
    ("qwen2", {}, (), ()),
    (None, {}, (), ()),
    ("gpt-2", {"add_bos_token": True}, (0,), ()),
    ("gpt-2", {"add_bos_token": True, "add_eos_token": True}, (0,), (1,)),
    ("llama-bpe", {}, (0,), ()),
    ("tekken", {}, (0,), ()),
    ("llama-bpe", {"add_bos_token": False}, (), ()),
    ("falcon_e", {}, (0,), ()),
    ("falcon_e", {"bos_token_id": None}, (), ()),  # llama.cpp would take id 11, whatever that is
    ("gpt-2", {"add_bos_token": True, "bos_token_id": None}, (), ()),
    ("llama-bpe", {"bos_token_id": 100_000}, (), ()),
])
def test_byte_level_prompts_start_where_the_file_says_so(pre, changes, before, after):
    assert around(with_names(pre, **changes)) == Around(before, after)


@pytest.mark.parametrize("changes, before, after", [
    ({}, (1,), ()), ({"bos_token_id": None}, (1,), ()), ({"add_bos_token": False}, (), ()),
    ({"add_eos_token": True}, (1,), (2,)), ({"bos_token_id": 2}, (2,), ()),
])
def test_llamas_own_kind_starts_unless_told_not_to(changes, before, after):
    assert around(llama_fields(**changes)) == Around(before, after)


def test_the_frame_goes_around_a_chat_as_well():
    template = {"tokenizer.chat_template": "{{ messages }}"}
    assert read_gguf(with_names("llama-bpe") | template, 1000, "x").chat.framed
    assert not read_gguf(with_names("gpt-2") | template, 1000, "x").chat.framed


@pytest.mark.parametrize("name, belong", [("Phi-3 mini", True), ("phi3", True), ("Llama", False)])
def test_spaces_after_the_names_of_phi_3(name, belong):
    """They belong to the name, as llama.cpp has it; but for names that are not Phi 3's own."""
    fields = llama_fields()
    tokenizer = Tokenizer.from_str(read_gguf(fields, 1000, "model.gguf", name=name).tokenizer)
    plain = tokenizer.encode("b").ids
    assert (tokenizer.encode("</s>  b").ids == [2, *plain]) == belong
    assert tokenizer.encode("<s>  b").ids != [1, *plain]


def test_what_ends_a_text():
    """By key, and by text: a control token that files often call a normal one, too."""
    size = 500
    found = read_gguf(with_names("gpt-2"), 1000, "x")
    assert set(found.ends) == {1, size + 1, size + 2, size + 3, size + 5}
    harmony = with_names("gpt-2")
    harmony[f"{PREFIX}tokens"] = harmony[f"{PREFIX}tokens"] + ["<|return|>", "<|call|>", "<|channel|>"]
    harmony[f"{PREFIX}token_type"] = harmony[f"{PREFIX}token_type"] + [3, 3, 3]
    parts = read_gguf(harmony, 1000, "x")
    assert set(parts.ends) == {*range(size + 1, size + 4), *range(size + 5, size + 8)}  # <|end|>, 1, ends a part only
    special = {item["content"]: item["special"] for item in json.loads(parts.tokenizer)["added_tokens"]}
    assert special["<|file_sep|>"] and not special["<|channel|>"] and not special["<|end|>"] and "[odd]" not in special


@pytest.mark.parametrize("name, value", [
    (name, value) for name in ("model", "pre", "tokens", "token_type", "merges", "scores", "bos_token_id",
                               "eos_token_id", "eot_token_id", "add_bos_token", "add_eos_token", "add_space_prefix",
                               "precompiled_charsmap")
    for value in (7, 2**63, 0.5, True, "text", [1, 2], ["a"], [[1]])])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_entries_of_any_type_are_taken_or_one_line(kind, name, value, monkeypatch):
    monkeypatch.setattr("models.vocabulary.gguf.check_tokenizer", lambda *_: None)  # a process each
    fields = (with_names("gpt-2") if kind == "gpt2" else llama_fields()) | {f"{PREFIX}model": kind}
    try:
        read_gguf(fields | {PREFIX + name: value}, 1000, "model.gguf")
    except ModelError as error:
        assert str(error).startswith("model.gguf: ") and "\n" not in str(error)


def test_entries_of_a_wrong_type_are_named():
    for name, value, message in (("token_type", 7, "expected a list of numbers, found 7"),
                                 ("bos_token_id", [1], "bos_token_id: expected one number, found list"),
                                 ("add_bos_token", "yes", "add_bos_token: expected true or false, found 'yes'")):
        with pytest.raises(ModelError) as error:
            read_gguf(with_names("gpt-2", **{name: value}), 1000, "model.gguf")
        assert message in str(error.value)


@pytest.mark.parametrize("pre", REFUSED)
def test_rules_that_are_not_here_are_refused_by_name(pre):
    with pytest.raises(ModelError, match=f"pre-tokenizer '{pre}' is not supported: {REFUSED[pre]}"):
        read_gguf(with_names(pre), 1000, "model.gguf")


def write_vocabulary(path: Path, fields: dict[str, object]) -> Path:
    """A GGUF file of metadata alone."""
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in fields.items():
        add = {bool: writer.add_bool, int: writer.add_uint32, str: writer.add_string}.get(type(value), writer.add_array)
        add(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


needs_llama_cpp = pytest.mark.skipif(not importlib.util.find_spec("llama_cpp"), reason="pip install llama-cpp-python")
SHAPE = {f"llama.{name}": 32 for name in ("context_length", "embedding_length", "block_count", "feed_forward_length",
                                          "attention.head_count", "attention.head_count_kv")}
INSIDE = ["<|im_start|>user\nHi<|im_end|>", "a <|file_sep|> b<|begin|>", "<|end|>[EOS] x", " <pad> [odd]"]


def oracle_of(path: Path, fields: dict[str, object]):
    import llama_cpp
    write_vocabulary(path, fields | SHAPE)
    return llama_cpp.Llama(str(path), vocab_only=True, verbose=False)


OWN_RULES = ("falcon", "deepseek-llm", "afmoe", "tiny_aya", "cohere2moe")  # llama.cpp's approximate the models' own


@needs_llama_cpp
@pytest.mark.parametrize("pre", [name for name in SPLITTINGS if name not in ("falcon_e", *OWN_RULES)])
def test_whole_prompts_are_llama_cpps(tmp_path, pre):
    fields = with_names(pre)
    llama = oracle_of(tmp_path / "vocabulary.gguf", fields)
    parts = read_gguf(fields, 1000, "model.gguf")
    tokenizer = Tokenizer.from_str(parts.tokenizer)
    for text in [*SAMPLES, *CORPUS[:11], *INSIDE]:
        given = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text  # llama.cpp does not compose
        ids = [*parts.around.before, *tokenizer.encode(text, add_special_tokens=False).ids, *parts.around.after]
        assert ids == llama.tokenize(given.encode(), add_bos=True, special=True), text


VOCABULARIES = sorted(Path(os.environ.get("LLAMA_CPP_MODELS", "/nowhere")).glob("ggml-vocab-*.gguf"))


@needs_llama_cpp
@pytest.mark.skipif(not VOCABULARIES, reason="LLAMA_CPP_MODELS=llama.cpp/models")
@pytest.mark.parametrize("path", VOCABULARIES, ids=lambda path: path.name.split(".")[0])
def test_real_vocabularies_give_llama_cpps_prompts(path):
    """Whole prompts with names of the vocabulary's own special tokens inside, at the start, and at the end."""
    import llama_cpp
    fields = {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}
    if fields[f"{PREFIX}model"] not in ("gpt2", "llama") or fields.get(f"{PREFIX}pre") in REFUSED:
        pytest.skip(f"of kind {fields[f'{PREFIX}model']}, {fields.get(f'{PREFIX}pre')}")
    parts = read_gguf(fields, 1_000_000, path.name, name=fields["general.name"])
    tokenizer = Tokenizer.from_str(parts.tokenizer)
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    names = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special][:12]
    inside = [f"{before}{name}{after}" for name in names for before in ("", "a", "a ", "\n")
              for after in ("", "b", " b")]
    texts = [*SAMPLES, *CORPUS[:11], *inside, "".join(names), " ".join(names)]
    wrong = 0
    for text in texts:
        given = tokenizer.normalizer.normalize_str(text) if "NFC" in str(tokenizer.normalizer) else text
        ids = [*parts.around.before, *tokenizer.encode(text, add_special_tokens=False).ids, *parts.around.after]
        wrong += ids != llama.tokenize(given.encode(), add_bos=True, special=True)
    print(f"{path.name}: {len(texts)} prompts, {wrong} differ")
    assert wrong == 0
