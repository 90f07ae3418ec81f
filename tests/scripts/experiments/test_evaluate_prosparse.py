"""What is counted at `down`, and that the table has both models with and without thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from host.pipeline.measuring import measure
from host.pipeline.site import Site, points_of
from models.synth import synthetic_model
from models.ternary import pack_trits
from scripts.experiments import evaluate_prosparse
from scripts.experiments.evaluate_prosparse import Row, look_at, table
from tests.families import FAMILIES

DEAD = 5


@pytest.fixture
def model():
    """Its first neurons are dead: their gates have no weights."""
    config = next(config for config in FAMILIES.values() if config.activation == "relu2")
    model = synthetic_model(replace(config, context=24), seed=3)
    for layer in model.layers:
        trits = layer.linears["gate"].trits()
        trits[:DEAD] = 0
        layer.linears["gate"] = replace(layer.linears["gate"], packed=pack_trits(trits))
    return model


def test_zeros_and_dead_neurons(model):
    ids = np.random.default_rng(1).integers(0, model.config.vocab_size, 20).tolist()
    row, plain = look_at("m", model, ids, []), measure(model, [], ids, points=points_of(Site.DOWN, model.config))
    assert row.perplexity == plain.perplexity and row.zeros == pytest.approx(plain.zeros)
    assert np.mean(row.layers) == pytest.approx(row.zeros) and len(row.layers) == model.config.layers
    share = DEAD / model.config.ffn_size
    assert share <= row.dead < row.zeros and row.dead < 1
    assert look_at("m", model, ids[:2], []).dead > row.dead, "fewer tokens wake fewer neurons"


def test_the_twin_is_what_perplexities_are_of():
    rows = [Row("a", 30.0, 0.8, 0.0, [0.75, 0.85]), Row("b", 20.0, 0.8, 0.0, [0.8]), Row("c", 20.5, 0.9, 0.05, [0.9])]
    assert table(rows).splitlines()[2:] == ["| a | 30.00 | × 1.500 | 80.0% | 75.0%, 85.0% | 0.0% |",
                                            "| b | 20.00 | × 1.000 | 80.0% | 80.0%, 80.0% | 0.0% |",
                                            "| c | 20.50 | × 1.025 | 90.0% | 90.0%, 90.0% | 5.0% |"]


def test_both_models_with_and_without_thresholds(model, monkeypatch, tmp_path, capsys):
    document = tmp_path / "sparsity.md"
    document.write_text(f"before\n{evaluate_prosparse._START}\nold\n{evaluate_prosparse._END}\nbehind\n")
    monkeypatch.setattr(evaluate_prosparse, "_DOCUMENT", document)
    monkeypatch.setattr(evaluate_prosparse, "load_model", lambda name: model)
    monkeypatch.setattr(evaluate_prosparse, "text_ids", lambda model, path: np.arange(1, 40))
    evaluate_prosparse.main(["--data", str(tmp_path), "--twin", "t", "--sparse", "s", "--fitting", "12", "--scored",
                             "16", "--ppl", "5", "--record"])
    lines = document.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "behind" and "old" not in lines
    names = [line.split(" | ")[0].lstrip("| ") for line in lines if line.startswith("| ")][2:]
    assert names == ["shipped model", "ReLU² twin", "ReLU² twin, thresholds", "ProSparse", "ProSparse, thresholds"]
    assert "\n".join(lines[1:-1]).endswith(capsys.readouterr().out.strip() + f"\n{evaluate_prosparse._END}")
