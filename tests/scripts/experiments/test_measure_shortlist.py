"""Ranks and windows of the measurement, and a short run of it on the shipped model."""

import json

import numpy as np
import pytest

from models.command import run_command
from models.golden.head import top_k
from scripts.experiments import measure_shortlist
from scripts.experiments.measure_shortlist import ranks_of, windows

TEXT = "It is a truth universally acknowledged, that a single man in possession of a good fortune. " * 4


def test_a_rank_is_the_place_in_the_list_of_all():
    scores = np.random.default_rng(0).integers(-3, 4, (20, 30))
    order = np.stack([top_k(row, 30)[0] for row in scores])
    for place in range(30):
        assert (ranks_of(order[:, place], scores) == place + 1).all()


def test_windows_are_contexts_cut_into_passes():
    assert windows(list(range(20)), 11, 6, 4) == [[[0, 1, 2, 3], [4, 5]], [[6, 7, 8, 9], [10]]]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("board", [[], ["--board", "sim-tiny"]])
def test_the_command_on_the_shipped_model(text, board, capsys):
    states = "40" if not board else "7"
    run_command(measure_shortlist.main, ["--text", str(text), "--states", states, "--json", *board])
    found = json.loads(capsys.readouterr().out)
    assert found["states"] == int(states) == found["held"]["64"] == found["best_equal"]
    assert 1 <= found["mean_rank"] <= found["worst_rank"] <= 64
    assert found["held"]["8"] <= found["held"]["16"] <= found["held"]["32"]
    run_command(measure_shortlist.main, ["--text", str(text), "--states", states, *board])
    assert f"| 64 | {states} of {states}, 100.00 % |" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (["--states", "0"], "--states must be at least 1, got 0"),
    (["--states", "100000"], "fewer than the 100000 states")])
def test_what_is_refused(text, arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(measure_shortlist.main, ["--text", str(text), *arguments])
    assert exit_.value.code == 2 and message in capsys.readouterr().err
