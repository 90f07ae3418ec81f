"""CoreInfer by position: plain before the first choice, prompts and what follows as asked, random neurons cost more."""

from dataclasses import replace

import numpy as np
import pytest

from host.pipeline.sparsity import continuations as module
from host.pipeline.sparsity.continuations import continuations
from models.synth import synthetic_model
from tests.families import FAMILIES

IDS = np.random.default_rng(4).integers(0, 130, 96).tolist()


@pytest.fixture
def small(monkeypatch):
    """Short passages, for a model of a short context."""
    for name, value in (("PROMPT", 16), ("BINS", ((0, 8), (8, 32))), ("PASSAGE", 48)):
        monkeypatch.setattr(module, name, value)


@pytest.fixture(scope="module")
def model():
    return synthetic_model(replace(FAMILIES["relu2 grouped heads"], context=64), seed=1)


def test_there_is_a_row_for_each_bin_of_each_method(model, small):
    rows = continuations(model, IDS, IDS[::-1], passages=2)
    names = ["core-infer", "core-infer, chosen again below 0.7", "random neurons"]
    assert [(row.follows, row.method, row.first, row.behind) for row in rows] == [
        (follows, name, *part) for follows in ("the same text", "another text") for name in names
        for part in ((0, 8), (8, 32))]
    assert all(row.passages == 2 and np.isfinite(row.more) and row.error >= 0 for row in rows)
    by = {(row.follows, row.method, row.first): row.more for row in rows}
    assert len({by["the same text", name, 8] for name in names}) == 3
    assert by["the same text", names[0], 0] != by["another text", names[0], 0]


def test_a_mask_of_no_neurons_costs_nothing(model, small, monkeypatch):
    monkeypatch.setattr(module, "_SHARE", 0.0)
    assert {row.more for row in continuations(model, IDS, passages=2)} == {0.0}


def test_random_neurons_are_silent_behind_the_prompt_alone(model):
    random = module._RandomNeurons(model, [0.0, 0.5])
    [(none, _), (silenced, _)] = [(stages[0], point) for point, stages in random.steps.acting.stages.items()]
    rows = np.ones((3, model.config.ffn_size), np.int64)
    assert (silenced(rows, None) == rows).all()
    with random.acting():
        assert (none(rows, None) == rows).all()
        assert (silenced(rows, None) == 0).sum(axis=1).tolist() == [model.config.ffn_size // 2] * 3
    assert (silenced(rows, None) == rows).all()


def test_a_text_that_is_too_short_has_no_rows(model):
    assert continuations(model, IDS) == []
