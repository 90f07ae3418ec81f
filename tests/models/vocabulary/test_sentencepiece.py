"""SentencePiece models against the sentencepiece package: small ones trained here, and Mistral's where they are.

The real ones are in `pip install --no-deps mistral-common` (6 MB).
"""

import importlib.util
import io
import json
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import Tokenizer

from models.errors import ModelError
from models.vocabulary import read_folder
from tests.models.vocabulary.samples import CORPUS, SAMPLES

BYTES = dict(byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False)


def train(vocab_size=600, **options) -> bytes:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, vocab_size=vocab_size,
                                             hard_vocab_limit=False, num_threads=1, minloglevel=2, **options)
    return out.getvalue()


def both(folder: Path, model: bytes, **config):
    """The oracle, and the tokenizer that the folder with this model gives."""
    (folder / "tokenizer.model").write_bytes(model)
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    oracle = sentencepiece.SentencePieceProcessor(model_proto=model)
    return oracle, Tokenizer.from_str(read_folder(folder, 200_000).tokenizer)


def encode(tokenizer, text):
    """As plain text: SentencePiece knows no names in a text."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("options", [
    BYTES,
    BYTES | dict(add_dummy_prefix=False),
    BYTES | dict(split_digits=True, control_symbols=["[INST]", "[/INST]"]),
    dict(normalization_rule_name="identity", remove_extra_whitespaces=True),
], ids=["llama", "no prefix", "digits", "no bytes, spaces collapsed"])
def test_bpe_is_equal_to_sentencepiece(tmp_path, options):
    oracle, tokenizer = both(tmp_path, train(model_type="bpe", **options))
    for text in SAMPLES:
        ids = oracle.encode(text)
        assert encode(tokenizer, text) == ids, text
        if oracle.unk_id() not in ids:
            assert tokenizer.decode(ids) == oracle.decode(ids), text


def test_unigram_is_equal_but_for_ties(tmp_path):
    oracle, tokenizer = both(tmp_path, train(model_type="unigram", **BYTES))
    differ = [text for text in SAMPLES if encode(tokenizer, text) != oracle.encode(text)]
    for text in differ:  # another cut of the same text, as good
        found = encode(tokenizer, text)
        assert oracle.decode(found) == oracle.decode(oracle.encode(text)), text
        scores = [sum(map(oracle.get_score, ids)) for ids in (found, oracle.encode(text))]
        assert scores[0] == pytest.approx(scores[1], rel=1e-4), text
    assert len(differ) < len(SAMPLES) / 50


def test_nmt_nfkc_replacements_are_kept(tmp_path):
    oracle, tokenizer = both(tmp_path, train(model_type="bpe", byte_fallback=True))
    assert oracle.encode("ﬁ Ⅷ ㎏ ½\t\nx") == encode(tokenizer, "ﬁ Ⅷ ㎏ ½\t\nx")
    assert tokenizer.decode(encode(tokenizer, "ﬁ  ㎏\n")) == "fi kg"


def test_user_defined_pieces_are_cut_out_first(tmp_path):
    model = train(model_type="bpe", add_dummy_prefix=False, user_defined_symbols=["▁▁▁", "<|x|>"], **BYTES)
    oracle, tokenizer = both(tmp_path, model)
    for text in ("a    b", "   ", "x<|x|>y   z", "def f():\n    pass"):
        assert encode(tokenizer, text) == oracle.encode(text)


def test_control_pieces_are_special_tokens(tmp_path):
    oracle, tokenizer = both(tmp_path, train(model_type="bpe", control_symbols=["[INST]"], **BYTES))
    name = oracle.piece_to_id("[INST]")
    ids = tokenizer.encode("<s>[INST]Hello", add_special_tokens=False).ids
    assert ids[:2] == [oracle.bos_id(), name] and ids[2:] == oracle.encode("Hello")
    assert name not in encode(tokenizer, "<s>[INST]Hello")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Hello"


def test_the_prefix_space_comes_once_where_legacy_is_false(tmp_path):
    model = train(model_type="bpe", control_symbols=["[INST]"], **BYTES)
    for legacy, after in ((True, "▁well"), (False, "well")):
        oracle, tokenizer = both(tmp_path, model, legacy=legacy)
        assert encode(tokenizer, "well") == oracle.encode("well")
        tokenizer.encode_special_tokens = False
        assert "".join(tokenizer.encode("[INST]well").tokens[1:]) == after


def test_added_tokens_keep_their_ids(tmp_path):
    model = train(model_type="bpe", **BYTES)
    size = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<|far|>": size + 3}))
    _, tokenizer = both(tmp_path, model, added_tokens_decoder={
        str(size): {"content": "<pad>", "special": True, "normalized": False},
        "1": {"content": "<start>", "special": True}})
    assert [tokenizer.token_to_id(name) for name in ("<pad>", "<|far|>", "<start>")] == [size, size + 3, 1]
    assert tokenizer.encode("<start>hi<pad><|far|>").ids[0] == 1
    with pytest.raises(ModelError, match=f"expected ids below the model's vocab_size of {size}, found {size + 3}"):
        read_folder(tmp_path, size)


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"ids 1 and 2 are both '</s>'"):
        both(tmp_path, train(model_type="bpe", **BYTES), added_tokens_decoder={"1": {"content": "</s>"}})


@pytest.mark.parametrize("damage", [
    lambda data: data[:-7], lambda data: b"not a model" + data, lambda data: b"", lambda data: b"\xff" * 40,
    lambda data: b"IQ== 0\nIg== 1\n" * 100], ids=["cut", "shifted", "empty", "ones", "tiktoken"])
def test_a_damaged_file_is_one_line(tmp_path, damage):
    (tmp_path / "tokenizer.model").write_bytes(damage(train(model_type="bpe", **BYTES)))
    with pytest.raises(ModelError, match="tokenizer.model: expected a SentencePiece model, found damaged"):
        read_folder(tmp_path, 1000)


@pytest.mark.parametrize("options, message", [
    (dict(model_type="char"), "of type unigram or bpe, found char"),
    (dict(model_type="bpe", treat_whitespace_as_suffix=True), "put spaces at a word's end"),
])
def test_kinds_that_no_language_model_uses_are_refused(tmp_path, options, message):
    with pytest.raises(ModelError, match=message):
        both(tmp_path, train(**options))


@pytest.mark.skipif(not importlib.util.find_spec("mistral_common"), reason="pip install --no-deps mistral-common")
@pytest.mark.parametrize("version", ["tokenizer.model.v1", "mistral_instruct_tokenizer_240216.model.v2",
                                     "mistral_instruct_tokenizer_240323.model.v3",
                                     "mistral_instruct_tokenizer_241114.model.v7"])
def test_mistrals_models(tmp_path, version):
    data = Path(importlib.util.find_spec("mistral_common").origin).parent / "data"
    oracle, tokenizer = both(tmp_path, (data / version).read_bytes())
    for text in SAMPLES:
        ids = oracle.encode(text)
        assert encode(tokenizer, text) == ids and tokenizer.decode(ids) == oracle.decode(ids), text
