"""A comparison's JSON is recorded as the command's page, each model's between its own marks; others are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from host.pipeline.commands.comparison_json import as_json
from host.pipeline.commands.comparison_tables import comparison_page
from host.pipeline.sparsity.comparison import GROUPS, Comparison
from models.synth import synthetic_model
from scripts.experiments import evaluate_sparsity
from scripts.experiments.evaluate_sparsity import marks
from tests.families import FAMILIES
from tests.host.pipeline.commands.test_comparison_tables import FOLLOWED, FOUND
from tests.host.test_commands import refused, run


@pytest.fixture
def document(tmp_path, monkeypatch):
    path = tmp_path / "sparsity.md"
    path.write_text("".join(f"before\n{marks(name)[0]}\nold\n{marks(name)[1]}\n" for name in ("demo", "other")))
    monkeypatch.setattr(evaluate_sparsity, "_DOCUMENT", path)
    return path


@pytest.mark.parametrize("model, picture", [("demo", "masks.svg"), ("other", "prosparse_masks.svg")])
def test_a_report_is_written_between_the_marks(tmp_path, document, capsys, model, picture):
    report = tmp_path / "report.json"
    report.write_text(json.dumps(as_json(FOUND, FOLLOWED)))
    given = ("--report", report, "--model", model)
    assert run(evaluate_sparsity, *given, "--record", "--json", capsys=capsys)["rows"][1]["cuts"] == 6
    start, end, _ = marks(model)
    written = document.read_text()
    body = written.split(start)[1].split(end)[0]
    assert f"]({picture})\n\n" in body and comparison_page(FOUND, FOLLOWED, 1.0) in body
    assert written.count("old") == 1 and written.count("before") == 2 and (tmp_path / picture).is_file()
    report.write_text('{"rows": [{"group": 1}]}')
    assert "is not what host.pipeline report --kind sparsity --json prints" in refused(
        evaluate_sparsity, *given, capsys=capsys)


def test_reports_of_groups_are_joined(tmp_path, document, capsys):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    rows = [FOUND.rows[0]._replace(group=group) for group in ("down", "qkv,o,gate_up")]
    empty = Comparison([], [], [], [], [])
    first.write_text(json.dumps(as_json(FOUND._replace(rows=rows), [])))
    second.write_text(json.dumps(as_json(empty._replace(rows=[rows[0], *FOUND.rows], kept=FOUND.kept[:1]), FOLLOWED)))
    found = run(evaluate_sparsity, "--report", first, second, "--json", capsys=capsys)
    assert [row["group"] for row in found["rows"]] == ["qkv,o,gate_up", *["qkv,o"] * 3, "down"]
    assert len(found["kept"]) == len(FOUND.kept) and len(found["continuations"]) == len(FOLLOWED)


def test_the_document_has_the_marks():
    text = (Path(evaluate_sparsity.__file__).parents[2] / "docs" / "sparsity.md").read_text("utf-8")
    assert all(text.count(f"{line}\n") == 1 for name in ("demo", "other") for line in marks(name)[:2])


def test_the_novels_are_fitted_on_and_scored(tmp_path, monkeypatch, capsys):
    model, asked = synthetic_model(next(iter(FAMILIES.values())), seed=2), []
    monkeypatch.setattr(evaluate_sparsity, "load_model", lambda name: model)
    monkeypatch.setattr(evaluate_sparsity, "text_ids", lambda model, path: np.arange(9) + len(Path(path).name))
    monkeypatch.setattr(evaluate_sparsity, "compare_masks", lambda *given, percent, bisected: asked.append(
        (*given, percent, len(bisected))) or FOUND)
    monkeypatch.setattr(evaluate_sparsity, "continuations", lambda *given: asked.append(given) or FOLLOWED)
    run(evaluate_sparsity, "--data", tmp_path, "--fitting", 2, "--scored", 3, "--targets", 0.5, "--json", capsys=capsys)
    (found, fitting, scored, targets, groups, percent, bisected), (_, northanger, bible) = asked
    assert found is model and (percent, bisected) == (1, 9) and targets == [0.5] and groups == list(GROUPS)
    assert fitting.tolist() == [15, 16] and scored.tolist() == [27, 28, 29]
    assert northanger.tolist() == list(range(27, 36)) and bible.tolist() == list(range(7, 16))
    for part, wanted in (("down", [["down"]]), ("passages", [])):
        asked.clear()
        run(evaluate_sparsity, "--data", tmp_path, "--groups", part, "--bisected", 0, "--targets", "--json",
            capsys=capsys)
        assert [given[3:] for given in asked if len(given) == 7] == [([], *wanted, None, 0)] * len(wanted)
        assert len(asked) == 1
