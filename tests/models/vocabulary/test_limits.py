"""Vocabularies that are too large, or make no sense: refused by name, before anything of that size is made."""

import base64
import json
import struct

import pytest

from models.errors import ModelError
from models.vocabulary import limits, read_folder
from models.vocabulary.byte_level import byte_level_tokenizer
from models.vocabulary.merges import merges_of_ranked
from models.vocabulary.model_proto import read_model_proto
from models.vocabulary.pieces import CONTROL, NORMAL, UNKNOWN, Pieces
from models.vocabulary.splitting import SPLITTINGS
from models.vocabulary.tokenizer_json import AddedToken
from tests.models.vocabulary.test_folder import tekken, write
from tests.models.vocabulary.test_sentencepiece import BYTES, train


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: bytes | int | float) -> bytes:
    """A field of a protobuf message, of the wire type that the value has."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def proto(*extra: bytes) -> bytes:
    """Two sound pieces, then what is given."""
    pieces = [field(1, b"<unk>") + field(3, UNKNOWN), field(1, b"a") + field(2, -1.0)]
    return b"".join(field(1, piece) for piece in pieces) + field(2, field(3, 2)) + b"".join(extra)


@pytest.mark.parametrize("extra, message", [
    (field(1, 7), "piece 2: expected a message, found a number"),
    (field(1, 0.5), "piece 2: expected a message, found 4 bytes"),
    (field(1, field(1, 7)), "piece 2: text: expected a string, found a number"),
    (field(1, field(1, b"x") + field(2, b"1234")), "piece 2: score: expected 4 bytes, found a string"),
    (field(1, field(1, b"x") + field(3, 1.0)), "piece 2: type: expected a number, found 4 bytes"),
    (field(2, 1), "trainer_spec: expected a message, found a number"),
    (field(2, field(3, b"bpe")), "trainer_spec: model_type: expected a number, found a string"),
    (field(3, field(2, 7)), "normalizer_spec: precompiled_charsmap: expected a string, found a number"),
    (field(3, field(3, b"")), "normalizer_spec: add_dummy_prefix: expected a number, found a string"),
    (field(3, field(4, 0.0)), "normalizer_spec: remove_extra_whitespaces: expected a number, found 4 bytes"),
    (field(1, varint(8) + b"\xff" * 100_000), "expected a SentencePiece model, found damaged or other data"),
    (field(1, field(3, 1)), "expected a SentencePiece model, found damaged or other data"),
])
def test_sentencepiece_fields_of_another_wire_type(extra, message):
    with pytest.raises(ModelError, match=f"^F: {message}$"):
        read_model_proto(proto(extra), "F")


def test_sentencepiece_fields_that_are_not_read_may_be_anything():
    text = field(9, b"?") + field(10, 1) + field(11, 0.5)
    assert read_model_proto(proto(field(1, field(1, b"x") + text), text), "F").texts == ["<unk>", "a", "x"]


@pytest.mark.parametrize("kind", [1, 2], ids=["unigram", "bpe"])
def test_a_long_sentencepiece_piece_is_refused(tmp_path, kind):
    (tmp_path / "tokenizer.model").write_bytes(proto(field(1, field(1, b"ab" * 400_000)), field(2, field(3, kind))))
    with pytest.raises(ModelError, match="tokenizer.model: token 2: expected at most 1,024 characters, found 800,000"):
        read_folder(tmp_path, 1000)


def test_a_sentencepiece_file_has_a_stated_size_at_most(tmp_path, monkeypatch):
    with open(tmp_path / "tokenizer.model", "wb") as file:
        file.truncate(limits.LARGEST_FILE + 1)
    with pytest.raises(ModelError, match="tokenizer.model: expected at most 16,777,216 bytes, found more"):
        read_folder(tmp_path, 1000)
    monkeypatch.setattr("models.vocabulary.model_proto.MOST_TOKENS", 2)
    with pytest.raises(ModelError, match="F: vocabulary: expected at most 2 pieces, found more"):
        read_model_proto(proto(field(1, field(1, b"x"))), "F")


def pieces(**changes) -> Pieces:
    return Pieces(**dict(texts=["<unk>", "a", "b"], scores=[0.0, -1.0, -2.0], types=[UNKNOWN, NORMAL, NORMAL],
                         unigram=True, byte_fallback=False, prefix=False, collapse=False) | changes)


@pytest.mark.parametrize("changes, message", [
    (dict(scores=[0.0, float("nan"), -2.0]), r"piece 1 \('a'\): expected a finite score, found nan"),
    (dict(scores=[0.0, -1.0, float("inf")]), r"piece 2 \('b'\): expected a finite score, found inf"),
    (dict(scores=[0.0, "high", -2.0]), r"piece 1 \('a'\): expected a finite score, found str"),
    (dict(charsmap=b"\x00\x00\x00\x10ab"), "precompiled_charsmap: expected a tree of 268,435,456 bytes and "
                                           "replacements, found 2 bytes"),
    (dict(charsmap=b"\x03\x00\x00\x00abc"), "precompiled_charsmap: expected a tree of 3 bytes"),
    (dict(texts=["<unk>", "a", "é" * 1025]), "token 2: expected at most 1,024 characters, found 1,025"),
])
@pytest.mark.parametrize("unigram", [True, False])
def test_pieces_that_make_no_sense(changes, message, unigram):
    with pytest.raises(ModelError, match=f"^{message}"):
        pieces(unigram=unigram, **changes).to_tokenizer()


def test_scores_of_names_do_not_count():
    text = pieces(scores=[float("nan"), -1.0, float("-inf")], types=[UNKNOWN, NORMAL, CONTROL]).to_tokenizer()
    assert [score for _, score in json.loads(text)["model"]["vocab"]] == [-1000.0, -1.0, -1000.0]


@pytest.mark.parametrize("index", [-1, 10**8, 2**70, True, 1.0])
def test_ids_of_added_tokens(index):
    with pytest.raises(ModelError, match="^added token '<x>': expected an id from 0 to 1,048,575, found "):
        pieces().to_tokenizer([AddedToken(index, "<x>")])


def test_an_added_token_far_beyond_the_model_is_refused_at_once(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(train(model_type="bpe", **BYTES))
    for index in (1000, 10**8):
        write(tmp_path, "added_tokens.json", {"<far>": index})
        with pytest.raises(ModelError, match=rf"expected ids below the model's vocab_size of 1000, found {index}"):
            read_folder(tmp_path, 1000)


def test_tokens_whose_merges_are_sought_have_a_size_together(monkeypatch):
    monkeypatch.setattr("models.vocabulary.merges.MOST_CHARACTERS", 6)
    assert merges_of_ranked(["ab", "abc"], {"a", "b", "c", "ab"}) == [("a", "b"), ("ab", "c")]
    with pytest.raises(ModelError, match="expected at most 6 characters in all tokens, found 7"):
        merges_of_ranked(["ab", "abcab"], set())


@pytest.mark.parametrize("vocabulary, merges, message", [
    ({"a": 0, "b": "1"}, [], "vocabulary: 'b': expected an id from 0 to 1,048,575, found str"),
    ({"a": 0, "b": -1}, [], "vocabulary: 'b': expected an id from 0 to 1,048,575, found -1"),
    ({"a": 0, "b": 10**8}, [], "vocabulary: 'b': expected an id from 0 to 1,048,575, found 100000000"),
    ({"a": 0, "b": 0}, [], "vocabulary: 'a' and 'b' both have id 0"),
    ({"a" * 2000: 0}, [], "token 0: expected at most 1,024 characters, found 2,000"),
    ({"a": 0, "b": 1}, [("a", "b")], "merges: expected two tokens that make a third, found 'a b'"),
    ({"a": 0, "ab": 1}, [("a", "b")], "merges: expected two tokens that make a third, found 'a b'"),
    ({"a": 0, "b": 1}, [("a",)], "merges: expected two tokens that make a third, found 'a'"),
])
def test_byte_level_vocabularies_that_make_no_sense(vocabulary, merges, message):
    with pytest.raises(ModelError, match=f"^{message}$"):
        byte_level_tokenizer(vocabulary, merges, SPLITTINGS["gpt-2"], [])


@pytest.mark.parametrize("change, message", [
    (dict(default_num_special_tokens=10**9, default_vocab_size=10**9), "expected at most 1,048,576 tokens"),
    (dict(default_num_special_tokens=-1), "expected at most 1,048,576 tokens"),
    (dict(default_num_special_tokens=40), "expected at most 1,048,576 tokens"),
    (dict(default_num_special_tokens=float("inf")), "expected a tekken tokenizer"),
    (dict(default_vocab_size="31"), "expected a tekken tokenizer"),
    (dict(pattern=["a"]), "expected a tekken tokenizer"),
    (dict(pattern="(("), "expected a tokenizer: Oniguruma error"),
])
def test_tekkens_that_make_no_sense(tmp_path, change, message):
    write(tmp_path, "tekken.json", tekken([b"a"], **change))
    with pytest.raises(ModelError, match=f"tekken.json: {message}"):
        read_folder(tmp_path, 1000)


@pytest.mark.parametrize("word, message", [
    ("!!", "expected a tekken tokenizer"), (7, "expected a tekken tokenizer"),
    (base64.b64encode(bytes(2000)).decode(), "token 30: expected at most 1,024 characters, found 2,000")])
def test_tekken_words_that_make_no_sense(tmp_path, word, message):
    data = tekken([b"a"])
    data["vocab"][0]["token_bytes"] = word
    write(tmp_path, "tekken.json", data)
    with pytest.raises(ModelError, match=f"tekken.json: {message}"):
        read_folder(tmp_path, 1000)
