"""Tokens stand in the place of end-of-text, losses are those behind them, and the page says where the goal is met."""

import math

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.steering_bench.material import Side
from host.runtime import Session
from host.scoring import negative_log_likelihood
from models.checkpoint import load_model
from models.machine.build import CPU
from scripts.experiments.steering.evaluate_magic import Told, headed, losses_behind, page


def test_a_token_takes_the_place_of_end_of_text():
    side = Side("a", np.array([[0, 5, 6], [0, 7, 8]]), np.array([[1, 2]]), 0.5)
    assert headed(side, 9).prompts.tolist() == [[9, 5, 6], [9, 7, 8]] and side.prompts[0, 0] == 0


def test_losses_behind_a_token_are_those_of_the_text_after_it():
    model = load_model("demo")
    windows = np.array([[5, 6, 7, 8], [9, 10, 11, 12]])
    found = losses_behind(Session(model, EmulatorDevice(CPU)), 300, windows)
    for index, ids in enumerate(windows.tolist()):
        logits = Session(model, EmulatorDevice(CPU)).score([300, *ids])
        assert found[4 * index:][:4].sum() == pytest.approx(negative_log_likelihood(logits, np.array(ids)))


def told(model, token, moved, factor):
    """Losses that vary, of a perplexity times `factor` in both manners."""
    losses = np.linspace(2, 4, 50) + math.log(factor)
    return Told(model, token, moved, (losses, losses + 0.5), ["it | was"])


def test_the_page_shows_costs_beside_the_shipped_model_and_whether_the_goal_is_met():
    found = [told("shipped", "", (0.125, 0.0), 1.0), told("no tokens", "", (0.125, 0.0), 1.02),
             told("tokens", "", (0.1875, 0.25), 1.04), told("tokens", "scripture", (0.875, 0.0), 1.08),
             told("tokens", "austen", (0.0, 0.875), 1.08), told("shuffled tokens", "austen", (0.5, 0.5), 1.2)]
    written = page(found, 64)
    assert "which is 20.09 (scripture) and 33.12 (Austen)" in written
    assert ("| tokens | scripture | 88 ± 4 % | 0 ± 0 % | × 1.080 ± 0.000 | × 1.080 ± 0.000 | × 1.080 ± 0.000 | "
            "× 1.059 |") in written
    assert "| shipped | none | 12 ± 4 % | 0 ± 0 % | × 1.000" in written
    assert "Toward scripture: 88 % moved, 19 % without the token, for +8.0 % perplexity." in written
    goals = [line.rpartition(" is ")[2] for line in written.splitlines() if line.startswith("Toward")]
    assert goals == ["met.", "not met."], "of austen the plain share is above 20 %"
    assert "| scripture | …it was |" in written


def test_standard_errors_are_of_pairs():
    plain, other = told("a", "", (0, 0), 1.0), told("b", "", (0, 0), 1.0)
    noisy = other._replace(losses=(other.losses[0] + np.tile([0.2, 0.0], 25), other.losses[1]))
    scripture, austen, both = noisy.costs(plain)
    assert scripture[0] == pytest.approx(math.exp(0.1)) and austen == (1.0, 0.0)
    error = 0.1 * math.sqrt(50 / 49) / math.sqrt(50)
    assert scripture[1] == pytest.approx(scripture[0] * error)
    assert both == (pytest.approx(math.exp(0.05)), pytest.approx(math.exp(0.05) * error / 2))
