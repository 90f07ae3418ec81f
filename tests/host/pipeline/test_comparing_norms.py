"""Norms beside each other: the fabric's and the CPU's RMSNorm have one perplexity, and another norm shows its share."""

import numpy as np
import pytest

from host.pipeline.comparing_norms import compare_norms
from host.pipeline.normalisation.seednorm import SeeDNorm
from host.pipeline.sparsity.teal import Teal
from models.errors import OptionError
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.pipeline.normalisation.test_seednorm import tensors_of

MODEL = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
IDS = np.random.default_rng(2).integers(0, MODEL.config.vocab_size, 30).tolist()


def trained_with_seednorm():
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    model.config = type(model.config)(**vars(model.config) | {"norm": "seednorm"})
    return model


def test_cuts_change_the_speed_alone():
    fabric, cpu, other = compare_norms(MODEL, [SeeDNorm(tensors_of(MODEL.config))], IDS)
    assert (fabric.method, fabric.runs, fabric.cuts, fabric.of_first) == ("rmsnorm", "fabric", 0, None)
    assert (cpu.method, cpu.runs, cpu.cuts) == ("rmsnorm", "cpu", 2 * MODEL.config.layers)
    assert cpu.perplexity == fabric.perplexity and cpu.over_first == 1.0
    assert other.method == "seednorm" and other.perplexity != fabric.perplexity
    assert other.over_first == pytest.approx(other.perplexity / fabric.perplexity)


def test_a_model_is_compared_with_its_own_norm_at_no_strength():
    plain = compare_norms(MODEL, [], IDS)[0]
    own, none = compare_norms(trained_with_seednorm(), [SeeDNorm(tensors_of(MODEL.config))], IDS)
    assert (own.strength, none.strength) == (1.0, 0.0) and own.perplexity != none.perplexity == plain.perplexity


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(OptionError, match="was trained with seednorm: give its --stage"):
        compare_norms(trained_with_seednorm(), [], IDS)
    with pytest.raises(OptionError, match="^sparsity by teal is no norm$"):
        compare_norms(MODEL, [Teal({"thresholds": np.zeros((MODEL.config.layers, 4))})], IDS)
