"""Hugging Face folders: which file counts, added tokens, chat templates, damage."""

import base64
import importlib.util
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from models.errors import ModelError
from models.vocabulary import ChatFormat, read_folder
from models.vocabulary.byte_level import BYTE_CHARACTERS
from tests.models.vocabulary.samples import SAMPLES
from tests.models.vocabulary.test_gguf import NAMES, byte_level
from tests.models.vocabulary.test_sentencepiece import BYTES, train

TEMPLATE = "{{ bos_token }}{{ messages[0]['content'] }}"


def write(folder: Path, name: str, data: object) -> None:
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A folder with a tokenizer.json of 500 ids."""
    write(tmp_path, "tokenizer.json", byte_level().to_str())
    return tmp_path


def chat(folder):
    return read_folder(folder, 500).chat


def test_tokenizer_json_is_taken_as_it_is(folder):
    (folder / "tokenizer.model").write_bytes(b"never read")
    parts = read_folder(folder, 500)
    assert parts.tokenizer == (folder / "tokenizer.json").read_text(encoding="utf-8") and parts.chat is None
    with pytest.raises(ModelError, match="tokenizer.json: vocabulary: expected ids below the model's vocab_size of "
                                         "499, found 499"):
        read_folder(folder, 499)


def test_no_tokenizer(tmp_path):
    write(tmp_path, "chat_template.jinja", TEMPLATE)
    assert read_folder(tmp_path, 500) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model": {"type": "BPE"}}', '"text"', "\x00"])
def test_a_damaged_tokenizer_json_is_one_line(tmp_path, content):
    write(tmp_path, "tokenizer.json", content)
    with pytest.raises(ModelError) as error:
        read_folder(tmp_path, 500)
    assert str(error.value).startswith(f"{tmp_path / 'tokenizer.json'}: expected a tokenizer")
    assert "\n" not in str(error.value)


def test_an_empty_vocabulary_is_refused(tmp_path):
    write(tmp_path, "tokenizer.json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}')
    with pytest.raises(ModelError, match="found no vocabulary in it"):
        read_folder(tmp_path, 500)


@pytest.mark.parametrize("config, special, expected", [
    (dict(bos_token="<s>", eos_token="</s>"), {}, ("<s>", "</s>")),
    (dict(bos_token={"content": "<s>", "lstrip": False}, eos_token=None), {"eos_token": "</s>"}, ("<s>", "</s>")),
    ({}, {"bos_token": {"content": "<s>"}}, ("<s>", "")),
])
def test_the_template_and_its_tokens(folder, config, special, expected):
    write(folder, "tokenizer_config.json", {"chat_template": TEMPLATE} | config)
    write(folder, "special_tokens_map.json", special)
    assert chat(folder) == ChatFormat(TEMPLATE, *expected)


def test_where_templates_are_looked_for(folder):
    write(folder, "tokenizer_config.json", {"chat_template": "third"})
    assert chat(folder).template == "third"
    write(folder, "chat_template.json", {"chat_template": "second"})
    assert chat(folder).template == "second"
    write(folder, "chat_template.jinja", "first")
    assert chat(folder).template == "first"
    write(folder, "chat_template.jinja", "  \n")
    assert chat(folder) is None


def test_named_templates(folder):
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    write(folder, "tokenizer_config.json", {"chat_template": named})
    assert chat(folder).template == "plain"
    write(folder, "tokenizer_config.json", {"chat_template": named[:1]})
    assert chat(folder) is None


@pytest.mark.parametrize("name, content, message", [
    ("tokenizer_config.json", "{", "tokenizer_config.json: cannot be read as JSON"),
    ("tokenizer_config.json", "[]", "tokenizer_config.json: expected a JSON object, found list"),
    ("tokenizer_config.json", {"chat_template": 7}, "chat_template: expected a string, found int"),
    ("chat_template.json", {"chat_template": [{"name": "default", "template": 7}]}, "expected a string, found int"),
])
def test_a_damaged_chat_file_is_one_line(folder, name, content, message):
    write(folder, name, content)
    with pytest.raises(ModelError, match=message):
        read_folder(folder, 500)


@pytest.mark.parametrize("added", [{"x": "y"}, {"x": None}])
def test_damaged_added_tokens_are_one_line(tmp_path, added):
    (tmp_path / "tokenizer.model").write_bytes(train(model_type="bpe", **BYTES))
    write(tmp_path, "added_tokens.json", added)
    with pytest.raises(ModelError, match="added tokens: expected names with ids"):
        read_folder(tmp_path, 1000)


def test_vocabulary_and_merges(tmp_path):
    origin = byte_level()
    model = json.loads(origin.to_str())["model"]
    write(tmp_path, "vocab.json", {token: index for token, index in model["vocab"].items() if token not in NAMES})
    write(tmp_path, "merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    names = {str(index): {"content": name, "special": True} for index, name in enumerate(NAMES)}
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": "GPT2TokenizerFast", "added_tokens_decoder": names})
    tokenizer = Tokenizer.from_str(read_folder(tmp_path, 500).tokenizer)
    for text in [*SAMPLES, "<|begin|>x<pad>"]:
        assert tokenizer.encode(text).ids == origin.encode(text).ids, text
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": "AbacusTokenizer"})
    with pytest.raises(ModelError, match="class GPT2Tokenizer or Qwen2Tokenizer, found AbacusTokenizer"):
        read_folder(tmp_path, 500)


def tekken(words: list[bytes], **config) -> dict:
    defaults = {"pattern": r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+", "default_vocab_size": 30 + len(words),
                "default_num_special_tokens": 30}
    return {"config": defaults | config,
            "vocab": [{"rank": rank, "token_bytes": base64.b64encode(word).decode()} for rank, word in enumerate(words)]
            + [{"rank": len(words), "token_bytes": base64.b64encode(b"beyond").decode()}]}


def test_tekken(tmp_path):
    words = [bytes([byte]) for byte in range(256)] + [b"ab", b"bc", b"abc", "é".encode()]
    write(tmp_path, "tekken.json", tekken(words))
    tokenizer = Tokenizer.from_str(read_folder(tmp_path, 30 + len(words)).tokenizer)
    ids = {word: 30 + rank for rank, word in enumerate(words)}
    assert tokenizer.encode("abc").ids == [ids[b"abc"]]  # a word that is a token
    assert tokenizer.encode("abcbc").ids == [ids[b"abc"], ids[b"bc"]]
    assert tokenizer.encode("bcab é").ids == [ids[b"bc"], ids[b"ab"], ids[b" "], ids["é".encode()]]
    assert tokenizer.encode("<s>[INST]a<SPECIAL_20>").ids == [1, 3, ids[b"a"], 20]
    assert tokenizer.decode([1, *tokenizer.encode("ab 你").ids]) == "ab 你"


@pytest.mark.parametrize("data", [{}, {"config": {}, "vocab": []}, tekken([b"a"], default_num_special_tokens=None)])
def test_a_damaged_tekken_is_one_line(tmp_path, data):
    write(tmp_path, "tekken.json", data)
    with pytest.raises(ModelError, match="tekken.json: expected a tekken tokenizer, found something else"):
        read_folder(tmp_path, 500)


@pytest.mark.skipif(not (importlib.util.find_spec("mistral_common") and importlib.util.find_spec("tiktoken")),
                    reason="pip install tiktoken && pip install --no-deps mistral-common")
def test_mistrals_tekken(tmp_path):
    import tiktoken

    path = Path(importlib.util.find_spec("mistral_common").origin).parent / "data" / "tekken_240911.json"
    (tmp_path / "tekken.json").symlink_to(path)
    tokenizer = Tokenizer.from_str(read_folder(tmp_path, 131_072).tokenizer)
    tokenizer.encode_special_tokens = True
    data = json.loads(path.read_text())
    ranks = {base64.b64decode(item["token_bytes"]): item["rank"] for item in data["vocab"][:130_072]}
    oracle = tiktoken.Encoding("tekken", pat_str=data["config"]["pattern"], mergeable_ranks=ranks, special_tokens={})
    for text in SAMPLES:
        assert tokenizer.encode(text).ids == [1000 + rank for rank in oracle.encode(text)], text


def test_byte_characters_are_those_of_the_library():
    from tokenizers.pre_tokenizers import ByteLevel
    assert sorted(BYTE_CHARACTERS.values()) == sorted(ByteLevel.alphabet())
    assert ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str("é\n")[0][0] == "".join(
        BYTE_CHARACTERS[byte] for byte in "é\n".encode())


@pytest.mark.parametrize("data", [None, [], {}, {"template": "", "bos_token": "", "eos_token": None},
                                  {"template": "", "bos_token": "", "eos_token": "", "more": ""}])
def test_chat_json_is_checked(data):
    with pytest.raises(ModelError, match="expected an object with the strings template, bos_token, eos_token"):
        ChatFormat.from_json(data)
    made = ChatFormat("a", "b", "c")
    assert ChatFormat.from_json(json.loads(json.dumps(made.to_json()))) == made
