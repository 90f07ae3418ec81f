"""A setting is found by what it costs, for any method; by the command too."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.measuring import Measured
from host.pipeline.site import LINEAR_INPUTS, Point
from host.pipeline.sparsity import calibration
from host.pipeline.sparsity.calibration import Calibrated, to_cett, to_perplexity, to_zeros
from host.pipeline.sparsity.fitted_mask import LayerFits
from tests.host.pipeline.sparsity.masks import METHODS, model_of, seen
from tests.host.test_commands import refused, run

FAMILY = "silu full heads"
IDS = np.random.default_rng(4).integers(0, 130, 40).tolist()
FIT = ("fit", "--kind", "sparsity", "--method")


def fits_of(name, **options):
    return LayerFits(METHODS[name], *seen(FAMILY), options)


@pytest.mark.parametrize("name, options", [("chess", {"sites": "gate"}), ("spark", {}), ("teal", {"sites": "down"})])
def test_each_layer_reaches_a_cett(name, options):
    found = to_cett(fits_of(name, **options), model_of(FAMILY), IDS, 0.3)
    assert len(set(found.sparsities)) == 2 and all(0.25 < value <= 0.3 for value in found.found)


@pytest.mark.parametrize("name", ["wina", "fixed-random"])
def test_a_share_of_zeros_is_reached_or_the_least_setting_is_taken(name):
    model, points = model_of(FAMILY), [Point(layer, site) for layer in (0, 1) for site in LINEAR_INPUTS]
    found = to_zeros(fits_of(name), model, IDS, 0.5, points)
    assert 0.48 < found.found[0] <= 0.5 and len(set(found.sparsities)) == 1
    least = to_zeros(fits_of(name), model, IDS, 0.001, points)
    assert least.sparsities[0] < 0.001 < least.found[0]


def test_perplexity_rises_by_as_much_as_asked():
    """Measured by a stand-in: a model of noise has no perplexity that rises with a mask."""
    class Curve:
        most = 1.0

        def __call__(self, sparsities):
            self.asked = sparsities[0]
            return METHODS["top-k"].load({"shares": np.full((2, 1), self.asked)})

    found = to_perplexity(Curve(), model_of(FAMILY), IDS, 1e6)
    assert isinstance(found, Calibrated) and found.sparsities[0] > 0.99


class Settings:
    """Stages that are their settings, which lie below `most`."""

    most = 1.0

    def __call__(self, sparsities):
        assert max(sparsities) < self.most
        return sparsities


def perplexity_rises(monkeypatch, percent):
    """By so much, of the settings of the layers."""
    monkeypatch.setattr(calibration, "measure", lambda model, stages, ids, **_: Measured(
        None, float(np.log1p(percent(stages[0]) / 100)) if stages else 0.0, 0, ()))


def test_where_all_layers_at_once_cost_too_much_they_go_one_after_another(monkeypatch):
    for costs in (0.95, 0.95), (0.95, 2), (2, 0.95):
        perplexity_rises(monkeypatch, lambda settings, costs=costs: np.dot(costs, np.array(settings) > 0.4))
        found = to_perplexity(Settings(), model_of(FAMILY), [1, 2], 1)
        higher, lower = found.sparsities[::-1 if costs[0] == 2 else 1]
        assert found.found == [pytest.approx(0.95)] and higher > 0.4 > lower > 0.39


def test_where_every_setting_costs_too_little_the_highest_is_taken(monkeypatch):
    perplexity_rises(monkeypatch, lambda settings: 0.1 * sum(settings))
    found = to_perplexity(Settings(), model_of(FAMILY), [1, 2], 1)
    assert found.found[0] == pytest.approx(0.2, rel=0.01) and min(found.sparsities) > 0.99


def test_where_a_measure_jumps_the_nearest_is_taken(monkeypatch):
    """As perplexity does on few tokens: it falls again before the place where it jumps above the target."""
    for highest, nearest in ((1.2, 1.2), (2, 0.8)):
        perplexity_rises(monkeypatch, lambda settings, top=highest: 0.8 if settings[0] < 0.36 else 0.6 if
                         settings[0] < 0.49 else top)
        assert to_perplexity(Settings(), model_of(FAMILY), [1, 2], 1).found == [pytest.approx(nearest)]


def test_zeros_are_found_where_they_rise_slowly(monkeypatch):
    """As those of channels drawn among many that are zero anyway."""
    monkeypatch.setattr(calibration, "measure", lambda model, stages, ids, **_: Measured(
        None, 0.0, 1 - 0.145 * (1 - stages[0][0]), ()))
    for first in (0.9, 0.001):
        found = to_zeros(Settings(), model_of(FAMILY), [1, 2], 0.9, [], first=first)
        assert 0.895 <= found.found[0] <= 0.9


def test_the_command_takes_a_cett_or_a_loss(texts, capsys):
    given = ("--text", texts / "austen.txt", "--tokens", 64, "--json", "-o", texts / "mask")
    fitted = run(pipeline, *FIT, "top-k", *given, "--cett", 0.2, capsys=capsys)
    assert len(fitted["fit"]["sparsity"]) == 6 and all(0.1 < value <= 0.2 for value in fitted["fit"]["reached"])
    shares = fitted["tensors"]["shares"]
    assert shares["min"] == pytest.approx(min(fitted["fit"]["sparsity"]))
    fitted = run(pipeline, *FIT, "spark", *given, "--ppl", 2, capsys=capsys)
    [reached] = fitted["fit"]["reached"]
    assert abs(reached - 2) <= 0.1 and fitted["fit"]["ppl"] == 2
    for options, message in (((*given, "--cett", 0.1, "--ppl", 1), "--cett and --ppl are two ways"),
                             ((*given, "--cett", 0), "--cett must be above 0, got 0.0"),
                             ((*given, "--sparsity", 1), "sparsity must lie between 0 and 1, got 1.0")):
        assert message in refused(pipeline, *FIT, "spark", *options, capsys=capsys)


def test_exact_zeros_have_nothing_to_set(texts, capsys):
    run(pipeline, *FIT, "zeros", "-o", texts / "zeros", "--json", capsys=capsys)
    assert run(pipeline, "show", texts / "zeros", "--json", capsys=capsys)["tensors"] == {}
