import dataclasses

import numpy as np
import pytest

from models.errors import ModelError
from models.float_twin import float_logits
from models.formats import read_checkpoint
from models.golden.model import GoldenModel
from models.machine.scalar_format import unpack_words, word
from models.quantise import quantise_model
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.small import PLAIN, SMALL
from tests.models.test_float_twin import cosines, random_model


def as_float(gains):
    return gains[0] * 2.0 ** -gains[1]


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_every_number_is_the_nearest(config):
    source = random_model(config)
    model = quantise_model(source, residual_max=3.0)
    assert model.config == config
    assert model.residual_fraction_bits == 25
    assert model.provenance == {"residual_max": 3.0, "residual_rule": "given"}
    for layer, original in zip(model.layers, source.layers, strict=True):
        assert list(layer.linears) == list(original.linears) and list(layer.gains) == list(original.gains)
        for name, matrix in layer.linears.items():
            np.testing.assert_array_equal(matrix.trits(), original.linears[name].trits, strict=True)
            assert matrix.scale == word(original.linears[name].scale)
            assert matrix.scale.dtype == np.uint32
        for name, gains in layer.gains.items():
            values = original.gains[name]
            np.testing.assert_allclose(as_float(gains), values, rtol=0, atol=values.max() * 2.0**-15)
    np.testing.assert_allclose(as_float(model.final_gains), source.final_gains, rtol=0, atol=2.0**-14)
    rows = np.ldexp(model.embedding.astype(float), -model.embedding_exponents.astype(int)[:, None])
    atol = np.abs(source.embedding).max() * 2.0**-15
    np.testing.assert_allclose(rows, source.embedding, rtol=0, atol=atol)
    m, e = unpack_words(model.head_scales)
    head = source.embedding if source.head is None else source.head
    np.testing.assert_allclose(model.head * np.ldexp(m.astype(float), e - 23)[:, None], head,
                               rtol=0, atol=np.abs(head).max() / 127 * 0.51)


@pytest.mark.parametrize(("change", "message"), [
    (lambda m: m.layers[1].gains["ffn_sub"].__setitem__(0, np.nan), "layer 1, ffn_sub norm: expected finite numbers"),
    (lambda m: m.embedding.__setitem__((2, 2), np.inf), "embedding: expected finite numbers"),
    (lambda m: m.layers[0].linears.update(up=dataclasses.replace(m.layers[0].linears["up"], scale=np.nan)),
     "layer 0, up scale: a scale must be a finite number"),
])
def test_what_cannot_be_represented_is_named(change, message):
    source = random_model(SMALL)
    change(source)
    with pytest.raises(ModelError, match=f"^{message}"):
        quantise_model(source, residual_max=1.0)


@pytest.mark.parametrize("largest", [0.0, np.nan, np.inf])
def test_a_residual_without_a_size_is_refused(largest):
    with pytest.raises(ModelError, match="residual: expected a largest value above zero and finite"):
        quantise_model(random_model(SMALL), residual_max=largest)


def shrunk(model):
    """Embedding and norm gains a hundredth: eps, lost, would show."""
    layers = [dataclasses.replace(layer, gains={name: gains / 100 for name, gains in layer.gains.items()})
              for layer in model.layers]
    return dataclasses.replace(model, embedding=np.asarray(model.embedding) / 100, final_gains=model.final_gains / 100,
                               layers=layers)


@needs_fixtures
@pytest.mark.parametrize("rescale", [lambda m: m, shrunk], ids=["as it is", "shrunk"])
@pytest.mark.parametrize("folder", ["relu2_gqa/hf_bf16_online", "silu_mha/hf_1bitllm", "llama_plain/hf_llama_online"])
def test_the_integers_mean_what_the_floats_mean(folder, rescale):
    source = rescale(read_checkpoint(FIXTURES / folder))
    ids = np.load(FIXTURES / folder / "../ids.npy")[:16]
    golden = GoldenModel(quantise_model(source), kv_bits=16)
    logits = np.stack([golden.step(int(token)) for token in ids])
    cosine = cosines(logits, float_logits(source, ids))
    assert cosine.mean() >= 0.9996
    assert cosine.min() >= 0.999
    assert golden.saturations == 0
