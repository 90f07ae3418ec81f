"""A comparison's JSON is recorded as the command's table, and another file is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from host.pipeline.commands.comparison import comparison_table
from host.pipeline.sparsity.comparison import Row
from models.synth import synthetic_model
from scripts.experiments import evaluate_sparsity
from tests.families import FAMILIES
from tests.host.test_commands import refused, run

ROWS = [Row("down", "plain", None, None, 0.4183, 0.0, 30.748, 1.0, "nowhere", 0),
        Row("down", "wina", 0.7, 0.5, 0.6999, 0.0123, None, 1.0077, "cpu", 6)]
LINES = ["| down | – | plain | 0.418 | 0.000 | 30.75 | × 1.000 | nowhere |",
         "| down | 0.7 | wina | 0.700 | 0.012 | none | × 1.008 | cpu, 6 |"]


@pytest.fixture
def document(tmp_path, monkeypatch):
    path = tmp_path / "sparsity.md"
    path.write_text(f"before\n{evaluate_sparsity._START}\nold\n{evaluate_sparsity._END}\nbehind\n")
    monkeypatch.setattr(evaluate_sparsity, "_DOCUMENT", path)
    return path


def test_a_report_is_written_between_the_marks(tmp_path, document, capsys):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"rows": [row._asdict() for row in ROWS]}))
    assert run(evaluate_sparsity, "--report", report, "--record", "--json", capsys=capsys)["rows"][1]["cuts"] == 6
    lines = document.read_text().splitlines()
    assert lines[0] == "before" and lines[4:6] == LINES and lines[7:] == ["behind"] and "old" not in lines
    assert comparison_table(ROWS).splitlines() == lines[2:6]
    report.write_text('{"rows": [{"group": 1}]}')
    assert "is not what host.pipeline report --kind sparsity --json prints" in refused(
        evaluate_sparsity, "--report", report, capsys=capsys)


def test_the_novels_are_fitted_on_and_scored(tmp_path, monkeypatch, capsys):
    model, asked = synthetic_model(next(iter(FAMILIES.values())), seed=2), []
    monkeypatch.setattr(evaluate_sparsity, "load_model", lambda name: model)
    monkeypatch.setattr(evaluate_sparsity, "text_ids", lambda model, path: np.arange(9) + len(Path(path).name))
    monkeypatch.setattr(evaluate_sparsity, "compare_masks", lambda *given: asked.append(given) or ROWS)
    run(evaluate_sparsity, "--data", tmp_path, "--fitting", 2, "--scored", 3, "--targets", 0.5, "--json", capsys=capsys)
    [(found, fitting, scored, targets)] = asked
    assert found is model and targets == [0.5]
    assert fitting.tolist() == [15, 16] and scored.tolist() == [27, 28, 29]
