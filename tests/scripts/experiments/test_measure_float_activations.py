"""What int8 activations cost, of a small shape; outliers cost more."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.command import run_command
from models.config import PRESETS
from scripts.experiments import measure_float_activations
from scripts.experiments.measure_float_activations import agreement
from tests.families import GROUPED


def test_agreement():
    expected = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    assert agreement(expected + 3, expected)["divergence"] == pytest.approx(0, abs=1e-12)
    found = agreement(expected[:, ::-1], expected)
    assert found["best_equal"] == 0.5 and found["divergence"] == pytest.approx(0.125 * np.log(2))
    assert agreement(2 * expected, expected)["cosine_min"] == pytest.approx(1)


def test_the_command(monkeypatch, capsys):
    monkeypatch.setitem(PRESETS, "small", replace(GROUPED["bonsai"], name="small"))
    options = ["--preset", "small", "--vocab", "64", "--tokens", "16"]
    found = {}
    for more in ([], ["--outliers", "100"]):
        run_command(measure_float_activations.main, [*options, *more, "--json"])
        found[len(more)] = json.loads(capsys.readouterr().out)
    plain, outliers = (found[n]["emulator"]["cosine"] for n in (0, 2))
    assert 1 > plain > 0.999 > outliers > 0.5
    assert found[0]["float twin, int8 inputs"]["cosine"] == pytest.approx(plain, abs=3e-4)
    run_command(measure_float_activations.main, [*options, "--layers", "1"])
    assert capsys.readouterr().out.startswith("| against float activations | cosine | least | same best id |")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--preset", "big"], "unknown preset 'big'; known: "), (["--tokens", "0"], "--tokens must be at least 1, got 0")])
def test_what_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(measure_float_activations.main, arguments)
    assert exit_.value.code == 2 and message in capsys.readouterr().err
