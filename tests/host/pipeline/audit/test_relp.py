"""The audit of RelP, as its command gives it."""

import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.relp import RelP
from tests.host.test_commands import refused, run

TORCH = pytest.importorskip("torch")


def test_the_command_correlates_every_estimate(texts, capsys):
    found = run(pipeline, "audit", "relp", "--text", texts / "austen.txt", "--pairs", 2, "--neurons", 5, "--json",
                capsys=capsys)
    assert found["pairs"] == 2 and [row["nodes"] for row in found["rows"]] == [48, 48, 48, 10]
    for row in found["rows"]:
        assert set(row["correlations"]) == {"attribution patching", "RelP", "RelP without AH-rule", "random"}
    assert all(row["float and exact"][0] > 0.9 for row in found["rows"][:3])
    page = RelP.page(found)
    assert page.count("| neurons | 10 |") == 5 and "Against the exact model: attention outputs:" in page


def test_the_page_says_who_wins():
    def page(gap):
        interval = [0.5, 0.4, 0.6]
        row = {"nodes of": "all", "nodes": 3, "correlations": {"RelP": {"exact": interval, "float": interval}},
               "float and exact": interval, "gap": gap}
        return RelP.page({"pairs": 4, "rows": [row]})

    assert "all: **RelP** wins" in page([0.1, 0.05, 0.2]) and "all: a tie" in page([0.1, -0.05, 0.2])
    assert "all: **attribution patching** wins" in page([-0.1, -0.2, -0.05])


def test_bad_options_are_one_line(texts, capsys):
    text = texts / "austen.txt"
    assert "--pairs must be at least 2" in refused(pipeline, "audit", "relp", "--text", text, "--pairs", 1,
                                                   capsys=capsys)
    assert "gives 0 pairs of prompts" in refused(pipeline, "audit", "relp", "--text", text, "--tokens", 8,
                                                 capsys=capsys)
