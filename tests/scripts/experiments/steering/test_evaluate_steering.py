"""Results are kept and reported without being measured again, and stand where the page has its marks."""

import json
import shutil

import pytest

from models.errors import OptionError
from scripts.experiments.steering import evaluate_steering
from tests.host.pipeline.commands.test_steering_tables import FOUND, PLAIN


def test_results_are_recorded_in_the_page(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    page, results = tmp_path / "steering.md", tmp_path / "results.json"
    shutil.copy(evaluate_steering._DOCUMENT, page)
    monkeypatch.setattr(evaluate_steering, "_DOCUMENT", page)
    results.write_text(json.dumps({"plain": [side._asdict() for side in PLAIN],
                                   "methods": [each.as_json() for each in FOUND]}))
    evaluate_steering.main(["--results", str(results), "--record"])
    text = page.read_text("utf-8")
    assert "| best | cpu, 6 | 123" in text and "| best | kjv | 0.015 |" in text
    assert "### emma steered toward kjv" in text
    assert (tmp_path / "steering.svg").stat().st_size > 1000
    assert "**best** moves most" in capsys.readouterr().out


def test_without_text_there_must_be_results(tmp_path):
    with pytest.raises(OptionError, match="there must be --results"):
        evaluate_steering.main(["--results", str(tmp_path / "none.json")])
