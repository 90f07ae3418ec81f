from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from models.checkpoint import load_model
from models.dequantise import float_model
from models.errors import ModelError
from models.float_twin import run_float
from models.golden.model import GoldenModel
from models.quantise import quantise_model
from models.residual_scale import fraction_bits
from models.vocabulary import TextParts
from tests.models.small import PLAIN, SMALL
from tests.models.test_float_twin import random_model


@pytest.mark.parametrize(("largest", "bits"), [(1.0, 27), (1.01, 26), (4.5, 24), (2.0**20, 7), (2.0**-10, 37),
                                               (1e-30, 60), (1e30, -60)])
def test_fraction_bits(largest, bits):
    assert fraction_bits(largest) == bits


def drawn_ids(config=SMALL):
    ids = np.random.default_rng(0).integers(0, config.vocab_size, config.context)
    if config.bos_id is not None:
        ids[0] = config.bos_id
    return ids


def undrawn(source):
    """A token of the vocabulary that the drawn prompt has not."""
    return next(token for token in range(source.config.vocab_size) if token not in drawn_ids(source.config))


def with_text(source, token):
    """A tokenizer of one token."""
    tokenizer = Tokenizer(models.WordLevel({"?": token}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return replace(source, text=TextParts(tokenizer.to_str()))


def test_a_run_with_the_first_token_gives_the_scale():
    source = random_model(SMALL)
    expected = run_float(source, drawn_ids()).residual_max
    model = quantise_model(source)
    assert model.residual_fraction_bits == fraction_bits(expected)
    assert model.provenance["residual_max"] == expected
    assert model.provenance["residual_rule"] == "float run over 16 random tokens"


def test_a_text_that_stays_in_range_changes_nothing():
    source = random_model(SMALL)
    plain, texted = quantise_model(source), quantise_model(with_text(source, undrawn(source)))
    assert texted.residual_fraction_bits == plain.residual_fraction_bits
    assert texted.provenance == plain.provenance and "residual_raised" not in plain.provenance


def test_a_text_that_would_saturate_raises_the_scale():
    """A channel that only one token has drives the whole feed-forward block."""
    source = random_model(replace(PLAIN, layers=1))
    token, layer = undrawn(source), source.layers[0]
    source.embedding[:, 3] = 0
    source.embedding[token] = np.eye(PLAIN.hidden_size)[3]
    layer.linears["o"].trits[3] = 0
    layer.gains["post_attention"][3] = 1e4
    made = quantise_model(with_text(source, token))
    assert made.residual_fraction_bits < quantise_model(source).residual_fraction_bits - 4
    assert made.provenance["residual_raised"].startswith("a float run over 16 text tokens, which reaches ")
    golden, before = GoldenModel(made), GoldenModel(quantise_model(source))
    for each in (golden, before):
        for _ in range(3):
            each.feed(token)
    assert golden.saturations == 0 and golden.residual_max > 2**27 and before.saturations > 0


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_a_row_of_the_embedding_that_no_prompt_has_raises_the_scale(config):
    source = random_model(config)
    token = undrawn(source)
    source.embedding[token] *= 1e4
    model = quantise_model(source)
    largest = np.abs(source.embedding[token]).max()
    assert model.residual_fraction_bits == fraction_bits(largest, 29)
    assert model.provenance["residual_raised"] == f"a row of the embedding, which reaches {largest:.3g}"
    golden = GoldenModel(model)
    golden.feed(token)
    assert golden.saturations == 0 and golden.residual_max > 2**27


def test_large_models_are_taken_to_grow(monkeypatch):
    monkeypatch.setattr("models.residual_scale.LARGE_PARAMETERS", 0)
    source = random_model(SMALL)
    source.embedding[:] = 0.25
    model = quantise_model(source)
    assert model.provenance["residual_max"] == 1024.0 and model.residual_fraction_bits == 17
    assert model.provenance["residual_rule"].startswith("4096 times the embedding's RMS, above the ")
    assert model.provenance["residual_rule"].endswith(" of a float run over 16 random tokens")


@pytest.mark.parametrize("text", [False, True])
def test_large_models_that_grow_more_are_seen_to(monkeypatch, text):
    monkeypatch.setattr("models.residual_scale.LARGE_PARAMETERS", 0)
    source = random_model(SMALL)
    loud = [replace(layer, linears=layer.linears | {"down": replace(layer.linears["down"], scale=1e6)})
            for layer in source.layers]
    source = replace(with_text(source, 5) if text else source, layers=loud)
    model = quantise_model(source)
    kind = "text" if text else "random"
    assert model.provenance["residual_rule"] == f"float run over 16 {kind} tokens"
    golden = GoldenModel(model)
    for token in range(8):
        golden.feed(token)
    assert golden.saturations == 0 and golden.residual_max > 2**22


def test_layers_and_rows_are_read_once():
    source = random_model(SMALL)
    read = []

    class Layers(list):
        def __iter__(self):
            for index, layer in enumerate(super().__iter__()):
                read.append(index)
                yield layer

    quantise_model(replace(source, layers=Layers(source.layers)))
    assert read == [0, 1]


def test_a_model_of_zeros_has_a_scale():
    source = random_model(SMALL)
    source.embedding[:] = 0
    model = quantise_model(source)
    assert model.residual_fraction_bits == 27
    assert model.provenance["residual_rule"].endswith("random tokens: zeros alone")


@pytest.mark.parametrize(("scale", "message"), [
    (1e30, "residual: expected values below 2\\*\\*91, found "), (1e38, "residual: expected finite values, found inf")])
def test_what_no_scale_holds_is_refused(scale, message):
    source = random_model(SMALL)
    for layer in source.layers:
        layer.gains["ffn_sub"][:] = 1e5
        layer.linears["down"] = replace(layer.linears["down"], scale=scale)
    with pytest.raises(ModelError, match=message):
        quantise_model(source)


@pytest.mark.parametrize("bos_id", [None, 0])
def test_the_shipped_model_keeps_its_scale(bos_id):
    demo = load_model("demo")
    source = float_model(demo)
    source = replace(source, config=replace(source.config, bos_id=bos_id))
    text = TextParts((demo.folder / "tokenizer.json").read_text(encoding="utf-8"))
    for each in (source, replace(source, text=text)):
        assert quantise_model(each).residual_fraction_bits == demo.residual_fraction_bits == 21
