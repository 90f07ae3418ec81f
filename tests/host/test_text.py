"""Text to ids and back, piece by piece, with tokenizers whose tokens end inside characters."""

import json
import random

import pytest
import sentencepiece

from host.text import Text
from models.config import DEMO
from models.errors import ModelError
from models.vocabulary import read_folder
from tests.models.vocabulary.samples import SAMPLES
from tests.models.vocabulary.test_gguf import byte_level
from tests.models.vocabulary.test_sentencepiece import BYTES, train

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """{kind: a Text}; with byte fallback every rare character is three or four tokens."""
    made = {}
    for kind in ("byte-level", "sentencepiece", "no prefix"):
        folder = tmp_path_factory.mktemp(kind)
        if kind == "byte-level":
            (folder / "tokenizer.json").write_text(byte_level().to_str(), encoding="utf-8")
        else:
            model = train(model_type="bpe", add_dummy_prefix=kind == "sentencepiece", **BYTES)
            (folder / "tokenizer.model").write_bytes(model)
            (folder / "tokenizer.json").write_text(read_folder(folder, 1000).tokenizer, encoding="utf-8")
        made[kind] = Text(folder)
    return made


KINDS = pytest.mark.parametrize("kind", ["byte-level", "sentencepiece", "no prefix"])


def streamed(text, ids, before=()):
    stream = text.stream(before)
    pieces = [stream(token) for token in ids]
    return pieces, stream.end()


@KINDS
def test_pieces_are_whole_characters_and_together_the_text(texts, kind):
    text = texts[kind]
    for sample in SAMPLES:
        ids = text.encode(sample)
        pieces, rest = streamed(text, ids)
        assert "".join(pieces) + rest == text.decode(ids) and not rest.strip(INCOMPLETE), sample
        assert INCOMPLETE in sample or INCOMPLETE not in "".join(pieces), sample


@KINDS
def test_the_text_before_counts(texts, kind):
    """A continuation keeps its first space, and a character may start in the prompt."""
    text = texts[kind]
    for sample in ("well done, all of you 你好😀", "naïve café", "a  b\n\nc"):
        ids = text.encode(sample)
        for at in range(len(ids)):
            pieces, rest = streamed(text, ids[at:], ids[:at])
            whole = "".join(pieces) + rest
            assert text.decode(ids).endswith(whole)
            if not text.decode(ids[:at]).endswith(INCOMPLETE):
                assert text.decode(ids[:at]) + whole == text.decode(ids), (sample, at)


@KINDS
def test_any_ids_can_be_streamed(texts, kind):
    """Tokens that make no text, bytes that are no character, names: nothing is lost and nothing fails.

    A stream may even have more: the whole text loses a byte that was a character once a bad one follows it.
    """
    text, random_ = texts[kind], random.Random(2)
    size = len(json.loads(text._tokenizer.to_str())["model"]["vocab"])
    for _ in range(300):
        ids = random_.choices(range(size), k=random_.randrange(1, 30))
        pieces, rest = streamed(text, ids)
        found = iter("".join(pieces) + rest)
        assert all(character in found for character in text.decode(ids).replace(INCOMPLETE, "")), ids


def test_a_character_that_never_completes_comes_at_the_end(texts):
    text = texts["byte-level"]
    ids = text.encode("ok 😀")[:-1]
    pieces, rest = streamed(text, ids)
    assert "".join(pieces) == "ok " and rest == INCOMPLETE


def test_a_pending_character_delays_no_text_before_it(texts):
    text = texts["sentencepiece"]
    ids = text.encode("well 𓀀 well")
    pieces, _ = streamed(text, ids)
    assert pieces[0] == "well" and "𓀀" in pieces and pieces.count("") >= 3


def test_names_in_a_text(texts):
    text = texts["byte-level"]
    plain, named = text.encode("<|begin|>well"), text.encode("<|begin|>well", special=True)
    assert named[0] == 0 and text.is_special(0) and 0 not in plain and not text.is_special(plain[0])
    assert text.decode(plain) == "<|begin|>well" and text.decode(named) == "well"
    assert text.encode("<|begin|>well") == plain  # the setting does not stay


def test_sentencepiece_gives_the_ids_of_its_package(texts, tmp_path):
    oracle = sentencepiece.SentencePieceProcessor(model_proto=train(model_type="bpe", **BYTES))
    assert texts["sentencepiece"].encode("<s>Hello  world") == oracle.encode("<s>Hello  world")


def test_half_a_surrogate_pair_is_one_line():
    with pytest.raises(ModelError, match="the text is not Unicode: character 2 is half a surrogate pair"):
        Text(DEMO).encode("ab\udcff")


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(ModelError, match="has no tokenizer.json: give token ids instead"):
        Text(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="tokenizer.json is not a tokenizer"):
        Text(tmp_path)
