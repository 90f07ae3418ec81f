"""The audit of the Local Interaction Basis, as its command gives it."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit import interaction_basis
from host.pipeline.audit.interaction_basis import InteractionBasis, share_kept
from tests.host.test_commands import refused, run

SHARES = (0.0, 0.1, 0.5, 1.0)


def options(texts, *more):
    return ["audit", "interaction-basis", "--text", texts / "austen.txt", "--held-out", texts / "scripture.txt", *more]


def test_the_command_compares_bases(texts, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(interaction_basis, "PASSAGE", 12)
    monkeypatch.setattr(interaction_basis, "_SHARES", (0.0, 0.2, 1.0))
    found = run(pipeline, *options(texts, "--samples", 2, "--passages", 2, "--tokens", 300, "--layer", 3, "--json"),
                capsys=capsys)
    assert found["layer"] == 3 and len(found["divergence"]) == 5
    for (divergence, _), edges in zip(found["divergence"].values(), found["edges"].values(), strict=True):
        assert divergence[0] > 10 * divergence[-1] and len(edges) == 5 and 0 < min(edges)
    assert found["divergence"]["channels"][0][-1] < 0.01  # all edges of a whole basis: the intact model
    page = InteractionBasis.page(found)
    assert "| channels | " in page and "from layer 3 to 4 alone" in page and "basis needs" in page


@pytest.mark.parametrize("divergence, needed", [
    ([10, 5, 0.5, 0], 0.1 + 0.4 * 4 / 4.5), ([10, 0.5, 0.2, 0], 0.1 * 9 / 9.5), ([10, 0.5, 3, 0], 0.5 + 0.5 * 2 / 3),
    ([10, 9, 8, 7], 1.0), ([0, 0, 0, 0], 0.0)])
def test_edges_needed_are_interpolated_from_the_last_share_above(divergence, needed):
    assert np.isclose(share_kept(SHARES, divergence), needed)


@pytest.mark.parametrize("gap, said", [((0.1, -0.1, 0.2), "no fewer and no more edges than"),
                                       ((-0.1, -0.2, -0.05), "fewer edges than"),
                                       ((0.1, 0.05, 0.2), "more edges than")])
def test_the_page_says_what_the_interval_says(gap, said):
    one = {"local interaction": [0.2, 0.1, 0.3]}
    page = InteractionBasis.page({"layer": 2, "passages": 4, "samples": 3, "held": 0.9, "shares": [0.0, 1.0],
                                  "gap": gap, "edges": {"local interaction": [0.5]}, "needed": one,
                                  "divergence": {"local interaction": [[9.0, 0.0], [0.5, 0.0]]}})
    assert f"needs {said} principal components" in page and "20.0 % (10.0 to 30.0)" in page


def test_bad_options_are_one_line(texts, capsys):
    assert "--samples must be at least 2" in refused(pipeline, *options(texts, "--samples", 1), capsys=capsys)
    assert "--layer must lie within 0 .. 3" in refused(pipeline, *options(texts, "--layer", 4), capsys=capsys)
