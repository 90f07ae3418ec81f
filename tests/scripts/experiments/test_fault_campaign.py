"""A campaign of faults: what is wrong in which model, areas by their formula, the record, wrong options."""

import json
import math

import numpy as np
import pytest

from models.synth import synthetic_model
from scripts.experiments import fault_campaign, fault_curves
from scripts.experiments.fault_curves import Cell, area_ratio, areas, excess_area, measure, wrong_weights
from tests.host.pipeline.resilience.test_proact import CONFIG, tensors_of
from tests.host.test_commands import refused, run

CELLS = [Cell(place, stages, rate, nll, 10, 4) for place in fault_curves.PLACES for stages, rate, nll in (
    ("none", 0.0, (2.0,)), ("none", 1e-6, (2.0, 2.5)), ("none", 1e-5, (3.0, 3.5)), ("none", 1e-3, (5.0, 5.5)),
    ("to zero", 0.0, (2.1,)), ("to zero", 1e-6, (2.0, 2.5)), ("to zero", 1e-5, (3.0, 2.5)), ("to zero", 1e-3, (2, 3)))]


@pytest.fixture
def model():
    return synthetic_model(CONFIG, seed=1)


def test_areas_are_trapezia_over_decades():
    assert areas(CELLS, "sums", "none") == pytest.approx([2.5 + 8, 3 + 9])
    assert areas(CELLS, "sums", "to zero") == pytest.approx([2.5 + 5, 2.5 + 5.5])
    ratios = 7.5 / 10.5, 8 / 12
    assert area_ratio(CELLS, "sums", "to zero", "none") == pytest.approx(
        (sum(ratios) / 2, abs(ratios[0] - ratios[1]) / 2))
    assert excess_area(CELLS, "sums", "to zero", "none") == pytest.approx((7.75 - 6, 0.25))


def test_weights_are_wrong_in_a_copy(model):
    packed = model.layers[1].linears["up"].packed
    before = packed.copy()
    wrong, flips = wrong_weights(model, 0.1, np.random.default_rng(3))
    assert (packed == before).all()
    counted = sum(int(np.unpackbits(a.packed ^ b.packed).sum()) for one, other in
                  zip(model.layers, wrong.layers, strict=True)
                  for a, b in zip(one.linears.values(), other.linears.values(), strict=True))
    assert counted == flips > 0


def test_what_is_measured(model, monkeypatch):
    """Clips under the same draws; nothing of one run is left in the next."""
    stage = fault_campaign.ProAct.load(tensors_of(CONFIG))
    ids, choices = [5, 7, 2, 9, 4], {"none": [], "again": [], "clipped": [stage]}
    cells = measure(model, choices, ids, (1e-3, 1e-2), 2)
    by = {(cell.place, cell.stages, cell.rate): cell for cell in cells}
    assert list(by) == [(place, name, rate) for place in ("weights", "activations", "sums") for name in choices
                        for rate in (0.0, 1e-3, 1e-2)]
    for place in fault_curves.PLACES:
        for rate in (0.0, 1e-3, 1e-2):
            assert by[place, "none", rate][3:] == by[place, "again", rate][3:]
            assert by[place, "none", rate].nll[0] != by[place, "clipped", rate].nll[0]
            assert (by[place, "none", rate].flips > 0) == (rate > 0)
            assert (by[place, "none", rate].invalid > 0) == (place == "weights" and rate > 0)
        assert len({by[place, "none", rate].nll[0] for rate in (0.0, 1e-3, 1e-2)}) == 3
        assert len(set(by[place, "none", 1e-2].nll)) == 2 and len(by[place, "none", 0.0].nll) == 1
    assert len({by[place, "none", 0.0].nll for place in fault_curves.PLACES}) == 1
    assert by["weights", "none", 1e-2].flips == by["weights", "clipped", 1e-2].flips


def test_a_report_is_written_between_the_marks(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    document, figure, report = tmp_path / "document.md", tmp_path / "faults.svg", tmp_path / "report.json"
    monkeypatch.setattr(fault_campaign, "_DOCUMENT", document)
    monkeypatch.setattr(fault_campaign, "_FIGURE", figure)
    document.write_text(f"before\n{fault_campaign._START}\nold\n{fault_campaign._END}\nbehind\n")
    report.write_text(json.dumps({"cells": [cell._asdict() for cell in CELLS]}))
    assert len(run(fault_campaign, "--report", report, "--record", "--json", capsys=capsys)["cells"]) == len(CELLS)
    lines = document.read_text().splitlines()
    error = math.expm1(0.25)
    assert lines[2] == "| wrong bits in | clip | none | 1e-06 | 1e-05 | 1e-03 |"
    assert lines[4] == (f"| weights | none | {math.exp(2):.4g} | " + " | ".join(
        f"{math.exp(nll):.4g} (± {error:.1%})" for nll in (2.25, 3.25, 5.25)) + " |")
    assert "| weights | to zero | 0.690 ± 0.024 | 1.750 ± 0.250 | 5 | 2 |" in lines and lines[-1] == "behind"
    drawn = figure.read_bytes()
    run(fault_campaign, "--report", report, "--record", "--json", capsys=capsys)
    assert figure.read_bytes() == drawn and b"ln perplexity" in drawn


def test_wrong_options_are_refused(tmp_path, capsys):
    for given, message in ((["--draws", 0], "--draws"), (["--rates", "1e-3", "1e-4"], "ascend"),
                           (["--rates", "1e-3"], "at least two"), (["--scored", 1], "--scored")):
        assert message in refused(fault_campaign, "--data", tmp_path, *given, capsys=capsys)
    other = tmp_path / "other.json"
    other.write_text('{"cells": [{"rate": 1}]}')
    assert "fault_campaign" in refused(fault_campaign, "--report", other, capsys=capsys)
