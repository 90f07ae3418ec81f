"""A model's hash: the same for what computes the same, another for any other number."""

import dataclasses

import numpy as np
import pytest

from models.checkpoint import load_model, save_model
from models.model_hash import model_hash
from models.synth import synthetic_model
from tests.families import FAMILIES, GROUPED


@pytest.fixture(scope="module")
def model():
    return synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)


def test_a_saved_model_and_one_made_again_have_the_same(model, tmp_path):
    again = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    save_model(model, tmp_path / "model")
    assert model_hash(model) == model_hash(again) == model_hash(load_model(tmp_path / "model"))


def test_names_context_and_tokens_do_not_count(model):
    config = dataclasses.replace(model.config, name="another", context=7, bos_id=3, eos_ids=(1, 2))
    other = dataclasses.replace(model, config=config, provenance={"source": "elsewhere"})
    assert model_hash(other) == model_hash(model)


def test_another_norm_is_another_model(model):
    other = dataclasses.replace(model, config=dataclasses.replace(model.config, norm="seednorm"))
    assert model_hash(other) != model_hash(model)


def changed(array):
    """One bit of the last element."""
    copy = np.array(array)
    copy.reshape(-1).view(np.uint8)[-1] ^= 1
    return copy


def with_layer(model, **parts):
    return dataclasses.replace(model, layers=[*model.layers[:-1], dataclasses.replace(model.layers[-1], **parts)])


def other_models(model):
    layer = model.layers[-1]
    down, (gains, exponent) = layer.linears["down"], layer.gains["input"]
    yield "packed", with_layer(model, linears=layer.linears | {"down": dataclasses.replace(
        down, packed=changed(down.packed))})
    yield "scale", with_layer(model, linears=layer.linears | {"down": dataclasses.replace(
        down, scale=np.uint32(down.scale + 1))})
    yield "gain", with_layer(model, gains=layer.gains | {"input": (changed(gains), exponent)})
    yield "gain's exponent", with_layer(model, gains=layer.gains | {"input": (gains, exponent + 1)})
    yield "final gain", dataclasses.replace(model, final_gains=(changed(model.final_gains[0]), model.final_gains[1]))
    for name in ("embedding", "embedding_exponents", "head", "head_scales"):
        yield name, dataclasses.replace(model, **{name: changed(getattr(model, name))})
    yield "residual", dataclasses.replace(model, residual_fraction_bits=model.residual_fraction_bits - 1)
    yield "rope", dataclasses.replace(model, config=dataclasses.replace(model.config, rope_theta=77.0))
    yield "seed", synthetic_model(model.config, seed=2)


def test_any_other_number_counts(model):
    hashes = {name: model_hash(other) for name, other in other_models(model)}
    assert len({*hashes.values(), model_hash(model)}) == 1 + len(hashes), hashes


def test_scales_by_group_count():
    model = synthetic_model(GROUPED["bonsai"], seed=1)
    expected = model_hash(model)
    assert model_hash(synthetic_model(GROUPED["bonsai"], seed=1)) == expected
    matrix = model.layers[1].linears["o"]
    for other in (dataclasses.replace(matrix, mantissas=changed(matrix.mantissas)),
                  dataclasses.replace(matrix, packed=changed(matrix.packed)),
                  dataclasses.replace(matrix, shift=matrix.shift + 1)):
        model.layers[1].linears["o"] = other
        assert model_hash(model) != expected
    model.layers[1].linears["o"] = matrix
    table = dataclasses.replace(model.embedding, mantissas=changed(model.embedding.mantissas))
    assert model_hash(dataclasses.replace(model, embedding=table)) != expected
