"""The comparison of a loop with constant pushes on a small model: its figures are as they say, its page holds them."""

import re

import numpy as np
import pytest

from host.pipeline.steering.contrast import Contrast
from models.synth import synthetic_model
from scripts.experiments.steering import evaluate_lqr
from scripts.experiments.steering.evaluate_lqr import _DOCUMENT, MARKS, STEPS, VARIANTS, measure, reaching
from scripts.experiments.steering.lqr_page import page
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE
from scripts.experiments.steering.tracking import Track
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("torch")
    ids = np.random.default_rng(0).integers(0, CONFIG.vocab_size, (4, 200)).tolist()
    contrast = Contrast(synthetic_model(CONFIG, seed=1), ids[0], ids[1])
    with pytest.MonkeyPatch.context() as patch:  # fewer runs
        patch.setattr(evaluate_lqr, "SETPOINTS", (1.0,))
        patch.setattr(evaluate_lqr, "_BISECTIONS", 1)
        return measure(contrast, {AUSTEN: ids[2], SCRIPTURE: ids[3]}, 1, 34, 1, 1, 1)


def test_constant_pushes_have_the_loop_s_energy(found):
    assert len(found["tracked"]) == 2
    for each in found["tracked"]:
        rows = {row["name"]: row for row in each["rows"]}
        for name in ("constant, even", "constant, as LQR"):
            assert rows[name]["energy"] == pytest.approx(rows["LQR"]["energy"], rel=0.01)
        assert rows["plain"]["energy"] == 0 and rows["plain"]["error"] > rows["LQR"]["error"]
        assert set(rows) >= {f"LQR, {name}" for name in VARIANTS}
    assert [row["step"] for row in found["aligned"]["steps"]] == list(STEPS)
    assert [row["layer"] for row in found["aligned"]["layers"]] == [0]


def test_a_push_is_found_that_reaches_the_setpoint():
    track = reaching(lambda energy: Track(np.full((1, 9), -np.sqrt(energy)), np.full((1, 9), energy), np.zeros(1)),
                     -3.0, -1, 2.0)
    assert track.projections.mean() == pytest.approx(-3, abs=0.05) and track.energy() == pytest.approx(9, abs=0.3)


def test_the_page_holds_the_figures(found):
    text = page(found)
    assert text.count("**") == 2 * 2 and text.count("| LQR |") == 4
    assert f"{found['tracked'][0]['rows'][1]['error']:.1f}" in text
    blank = [line for line in text.splitlines() if line.startswith("|") and re.search(r"nan|inf", line)]
    assert not blank and all(mark in _DOCUMENT.read_text() for mark in MARKS)
