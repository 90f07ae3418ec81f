"""A toy is trained, converted and measured; the planted model's heads are found; the page has what was measured."""

import numpy as np
import pytest

from models.checkpoint import load_model
from scripts.experiments import evaluate_bi_induct
from scripts.experiments.copied_snippets import BACKWARD, FORWARD, PLAIN
from scripts.experiments.evaluate_bi_induct import ARMS, MARKS, RECIPE, SHAPE, measure, page, train_toy
from tests.host.pipeline.heads.planted_heads import VOCABULARY, planted_model

TEXT = "It was the best of walks, and she said that £20,000 was little.\nAnd the LORD spake unto them.\n" * 40


def test_the_planted_head_carries_copies_and_none_carries_mirrors():
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 600).tolist()
    found = measure(planted_model(), [*range(VOCABULARY), *ids], 0, sequences=2, windows=2, period=16)
    assert found["copies"]["head"] == "1.2" and found["copies"]["score"] > 0.9  # the decoy, whose score is higher
    assert found["copies"]["plain"]["repeat"] < -1 < found["mirrors"]["plain"]["repeat"]
    assert found["mirrors"]["score"] < 0.2


def test_a_toy_is_trained_converted_and_measured(tmp_path):
    pytest.importorskip("torch")
    shape = SHAPE | {"vocab": 280, "hidden": 32, "ffn": 32, "heads": 2, "kv_heads": 2, "head_dim": 16}
    train_toy([TEXT], FORWARD, 0, tmp_path, shape, RECIPE | {"steps": 1, "batch": 2})
    model = load_model(tmp_path / "model")
    assert (model.config.layers, model.config.context) == (SHAPE["layers"], SHAPE["context"])
    found = measure(model, list(range(280)), 0, sequences=2, windows=2)
    assert found["copies"]["score"] == pytest.approx(found["copies"]["elsewhere"], abs=0.01)  # it has learnt nothing


def test_the_page_has_means_and_errors_over_seeds():
    def one(arm, seed, value):
        kinds = dict.fromkeys(("repeat", "passage", "first", "text"), value)
        part = {"head": "1.0", "score": value, "elsewhere": 0.02, "plain": kinds, "excess": kinds}
        return {"arm": arm, "seed": seed, "copies": part, "mirrors": part}

    text = page([one(PLAIN, 0, 0.1), one(PLAIN, 1, 0.3), one(BACKWARD, 0, 0.5), one(BACKWARD, 1, 0.5)])
    assert "| plain text | 0.200 ± 0.100 (0.020 ± 0.000) |" in text and "| mirrored spans | 0.500 ± 0.000" in text
    assert ARMS[FORWARD] not in text and text.count("| plain text |") == 2
    document = evaluate_bi_induct._DOCUMENT.read_text("utf-8")
    assert all(mark in document for mark in MARKS)
