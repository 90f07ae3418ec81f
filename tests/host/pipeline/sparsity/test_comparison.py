"""The table of masks: equal shares of zeros in a group, the oracle's error least; the command's text and refusals."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.commands.comparison import comparison_table
from host.pipeline.sparsity.comparison import GROUPS, Row, compare_masks, layer_error
from host.pipeline.sparsity.measuring import capture
from host.pipeline.sparsity.top_k import TopK
from models.golden.model import TapPoint
from tests.host.pipeline.sparsity.masks import fitted, model_of
from tests.host.test_commands import refused, run

FAMILY = "silu full heads"
IDS = np.random.default_rng(4).integers(0, 130, 60).tolist()


def test_rows_of_a_group_have_equal_zeros_and_the_oracle_loses_least():
    rows = compare_masks(model_of(FAMILY), IDS, IDS[::-1], targets=[0.05, 0.6], groups=["down"])
    plain, *others = rows
    assert plain.method == "plain" and plain.over_plain == 1 and plain.layer_error == 0 and 0.05 < plain.zeros < 0.3
    assert [row.method for row in others] == [name for name, _ in GROUPS["down"]]  # none at 0.05: plain has more
    by = {row.method: row for row in others}
    assert all(abs(row.zeros - 0.6) < 0.05 for row in others)
    assert min(others, key=lambda row: row.layer_error).method in ("oracle", "tau-gate")
    assert by["oracle"].layer_error < by["wina"].layer_error < 0.8 * by["random-per-token"].layer_error
    assert (by["teal"].runs, by["teal"].cuts, by["wina"].runs, by["wina"].cuts) == ("fabric", 0, "cpu", 2)


def test_the_error_of_a_layer_is_relative():
    model = model_of(FAMILY)
    captured = capture(model, [TapPoint(layer, site) for layer in (0, 1) for site in ("gate", "down", "o")], IDS)
    assert layer_error(TopK({"shares": np.ones((2, 1))}), model, captured) == pytest.approx(1 / 2)  # at one of two
    few, many = (layer_error(fitted("chess", FAMILY, share, sites="gate"), model, captured) for share in (0.2, 0.8))
    assert 0 < few < many < 1 and layer_error(TopK({"shares": np.full((2, 1), 1e-3)}), model, captured) == 0


def test_the_command_prints_a_table(texts, capsys, monkeypatch):
    monkeypatch.setattr("host.pipeline.sparsity.comparison.GROUPS", {"down": [("top-k", {}), ("spark", {})]})
    given = ("report", "--kind", "sparsity", "--text", texts / "austen.txt", "--tokens", 64, "--targets", 0.95)
    found = run(pipeline, *given, "--json", capsys=capsys)
    assert (found["fitted_tokens"], found["scored_tokens"]) == (64, 65)
    assert [row["method"] for row in found["rows"]] == ["plain", "top-k", "spark"]
    table = comparison_table([Row(**row) for row in found["rows"]]).splitlines()
    assert table[2].startswith("| down | – | plain | 0.") and table[3].startswith("| down | 0.95 | top-k | 0.9")
    assert table[3].endswith(" | cpu, 6 |")
    for options, message in ((given[:3], "report --kind needs --text"),
                             ((*given, "--stage", "x"), "report takes --kind or --stage"),
                             ((*given, 2), "--targets lie between 0 and 1")):
        assert message in refused(pipeline, *options, capsys=capsys)
