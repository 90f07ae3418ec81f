"""The comparison of masks: equal shares of zeros in a group, the oracle's error least; the command and its refusals."""

import json
import sys

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.commands.comparison_json import as_json, read_comparison
from host.pipeline.commands.comparison_tables import comparison_page
from host.pipeline.decode_speed import DecodeRace
from host.pipeline.measuring import Measured, capture
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.at_percent import at_percent
from host.pipeline.sparsity.comparison import GROUPS, compare_masks
from host.pipeline.sparsity.fitted_mask import LayerFits
from host.pipeline.sparsity.kept_gates import KEPT, kept_gates
from host.pipeline.sparsity.layer_error import layer_error
from host.pipeline.sparsity.top_k import TopK
from tests.host.pipeline.sparsity.masks import METHODS, fitted, model_of, seen
from tests.host.test_commands import refused, run

FAMILY = "silu full heads"
IDS = np.random.default_rng(4).integers(0, 130, 66).tolist()


def test_rows_of_a_group_have_equal_zeros_and_the_oracle_loses_least():
    found = compare_masks(model_of(FAMILY), IDS[:60], IDS[::-1], targets=[0.05, 0.6], groups=["down"])
    plain, *others = found.rows
    assert plain.method == "plain" and plain.over_plain == 1 and plain.layer_error == 0 and 0.05 < plain.zeros < 0.3
    assert [row.method for row in others] == [name for name, _ in GROUPS["down"]]
    assert [(row.target, 0.05 < row.zeros < 0.3) for row in found.missing] == [(0.05, True)]
    by = {row.method: row for row in others}
    assert all(abs(row.zeros - 0.6) < 0.05 for row in others)
    assert min(others, key=lambda row: row.layer_error).method in ("oracle", "tau-gate")
    assert by["oracle"].layer_error < by["wina"].layer_error < 0.8 * by["random-per-token"].layer_error
    assert (by["teal"].runs, by["teal"].cuts, by["wina"].runs, by["wina"].cuts) == ("fabric", 0, "cpu", 2)
    assert plain.bytes_unread < by["wina"].bytes_unread < 0.8 * by["chess"].bytes_unread  # a gate's row of up as well
    assert by["oracle"].of_dense < 0.9 < 3 * by["teal"].of_dense and by["wina"].tokens_per_s > 0
    assert plain.measured_unread < by["teal"].measured_unread < plain.matrix_bytes
    [pair] = found.pairs
    assert (pair.wina_zeros, pair.teal_zeros) == (by["wina"].zeros, by["teal"].zeros)
    mean = np.log(by["wina"].over_plain / by["teal"].over_plain)
    assert pair.error > 0 and pair.difference == pytest.approx(mean, rel=0.2)  # of 64 losses instead of 65


def test_the_error_of_a_layer_is_relative():
    model = model_of(FAMILY)
    captured = capture(model, [Point(layer, site) for layer in (0, 1) for site in ("gate", "down", "o")], IDS)
    assert layer_error(TopK({"shares": np.ones((2, 1))}), model, captured) == pytest.approx(1 / 2)  # at one of two
    few, many = (layer_error(fitted("chess", FAMILY, share, sites="gate"), model, captured) for share in (0.2, 0.8))
    assert 0 < few < many < 1 and layer_error(TopK({"shares": np.full((2, 1), 1e-3)}), model, captured) == 0


def test_gates_that_are_kept_are_counted():
    model, (twin, inputs) = model_of(FAMILY), seen(FAMILY)
    captured = capture(model, [Point(layer, Site.GATE) for layer in (0, 1)], IDS)
    found = kept_gates(model, twin, inputs, IDS)
    assert [(row.quantile, row.asked) for row in found] == [(name, k) for name in ("normal", "text") for k in KEPT]
    for row in found:
        stage = fitted("spark", FAMILY, 1 - row.asked, quantile=row.quantile)
        shares = [np.count_nonzero(stage.apply(point, *rows, model)) / rows.rows.size
                  for point, rows in captured.items()]
        assert row.mean == pytest.approx(np.mean(shares), abs=0.003)  # a sum of 0 may stay
        other = 2 * row.mean - row.worst
        assert abs(row.worst - row.asked) >= abs(other - row.asked)
        assert abs(row.mean - row.asked) < 0.05 and 0 < row.error < 0.05


def test_zeros_at_a_percentage_are_those_of_the_setting_found():
    """A loss of 2**-12 of its channels costs a model of noise less than any percentage."""
    model, points = model_of(FAMILY), {Point(layer, Site.DOWN) for layer in (0, 1)}
    plain = Measured(None, 0.0, 0.0, (0.0,) * (len(IDS) - 1))
    found = at_percent("down", "top-k", LayerFits(METHODS["top-k"], *seen(FAMILY), {}), model, IDS, IDS, 1e6, points,
                       plain)
    assert found[:2] == ("down", "top-k") and found.setting > 0.99 and found.zeros > 0.98 and found.over_plain > 1


def test_both_sides_of_a_race_decode_the_same_tokens(monkeypatch):
    race, asked = DecodeRace(model_of(FAMILY), IDS), []
    decode = type(race._dense).decode
    monkeypatch.setattr(type(race._dense), "decode", lambda session, token: asked.append((session, token)) or decode(
        session, token))
    speed = race.of([fitted("oracle", FAMILY)])
    assert [token for _, token in asked[::2]] == [token for _, token in asked[1::2]] == IDS[16:24] * 6
    assert [session is race._dense for session, _ in asked] == [True, False, False, True] * 24
    assert 0 < speed.of_dense < 0.9 and speed.tokens_per_s > 0


def test_the_command_prints_tables(texts, capsys, monkeypatch):
    monkeypatch.setattr("host.pipeline.sparsity.comparison.GROUPS", {"down": [("top-k", {}), ("spark", {})]})
    picture = texts / "zeros.svg"
    given = ("report", "--kind", "sparsity", "--text", texts / "austen.txt", "--tokens", 64, "--targets", 0.95)
    found = run(pipeline, *given, "--ppl", 5, "--plot", picture, "--json", capsys=capsys)
    assert (found["fitted_tokens"], found["scored_tokens"]) == (64, 65)
    assert [row["method"] for row in found["rows"]] == ["plain", "top-k", "spark"]
    assert [row["method"] for row in found["percent"]] == ["top-k", "spark"] and not found["continuations"]
    assert picture.read_text().startswith("<?xml") and "top-k" in picture.read_text()
    kept = texts / "kept.json"
    kept.write_text(json.dumps(found))
    again, followed = read_comparison(kept)
    assert as_json(again, followed) == {name: rows for name, rows in found.items() if name[-7:] != "_tokens"}
    page = comparison_page(again, followed, 5).splitlines()
    assert page[2].startswith("| down | – | plain | 0.") and page[3].startswith("| down | 0.95 | top-k | 0.9")
    assert " | cpu, 6 | " in page[3]
    for options, message in ((given[:3], "report --kind sparsity needs --text"),
                             ((*given, "--stage", "x"), "report takes --kind or --stage"),
                             ((*given, 2), "--targets must lie"), ((*given, "--ppl", 0), "--ppl must be"),
                             ((*given, "--plot", texts / "zeros.txt"), "zeros.txt is no picture: its name")):
        assert message in refused(pipeline, *options, capsys=capsys)


def test_a_picture_without_its_library_names_the_extra(texts, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    line = refused(pipeline, "report", "--kind", "sparsity", "--text", texts / "austen.txt", "--plot", texts / "x.svg",
                   capsys=capsys)
    assert "matplotlib" in line and "[sim]" in line
