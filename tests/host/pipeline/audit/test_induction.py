"""The audit finds a planted induction head, exposes a decoy with the stronger signature, says where there is none."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.induction import Induction, examine
from host.pipeline.heads.load_bearing import Sequences
from host.pipeline.heads.repeats import repeated_passages, repeated_sequences
from tests.host.pipeline.heads.planted_heads import VOCABULARY, planted_model
from tests.host.test_commands import refused, run

SETTINGS = {"model": "planted", "sequences": 4, "period": 16, "windows": 2, "window": 24, "ablation": "mean"}


def found(heads):
    windows = np.random.default_rng(0).integers(0, VOCABULARY, (4, 24)).tolist()
    sequences = Sequences(repeated_sequences(range(VOCABULARY), 4, 16, 0), repeated_passages(windows[:2], 12),
                          windows[:2])
    return SETTINGS | examine(planted_model(), sequences, windows[2:], np.arange(VOCABULARY), heads=heads, alone=3,
                              draws=2, seed=0)


def test_the_highest_score_is_a_decoy_s_and_it_carries_nothing():
    one = found(1)
    assert [head["head"] for head in one["heads"][:2]] == ["1.2", "1.1"] and one["group"]["heads"] == ["1.2"]
    assert one["group"]["rise"]["repeat"].mean == pytest.approx(0, abs=1e-3) and not one["group"]["carries"]
    assert one["heads"][1]["alone"].mean > 1 and one["heads"][1]["copying"] == 1
    assert [head["alone"] is None for head in one["heads"]] == [False] * 3 + [True] * 5
    page = Induction.page(one)
    assert "No function beyond chance" in page and "| highest-scoring | 1.2 | +0.000" in page
    for kind, value in one["plain"].items():
        assert one["float"][kind].mean == pytest.approx(value.mean, abs=0.05)


def test_with_the_planted_head_among_them_they_carry_it():
    two = found(2)
    assert set(two["group"]["heads"]) == {"1.1", "1.2"} and two["group"]["carries"]
    assert two["group"]["excess"]["repeat"].mean > 1
    assert "Function: without the highest-scoring heads" in Induction.page(two)


def test_the_command_scores_every_head_of_a_model(texts, capsys):
    arguments = ["audit", "induction", "--text", texts / "austen.txt", "--tokens", 128, "--sequences", 2, "--period", 8,
                 "--draws", 1, "--heads", 1, "--alone", 0]
    one = run(pipeline, *arguments, "--json", capsys=capsys)
    assert len(one["heads"]) == 24 and one["windows"] == 2
    assert "| highest less random |" in Induction.page(one) and "Over the 0 heads" in Induction.page(one)


def test_without_use_of_repeats_there_is_nothing_to_carry():
    estimate = [0.0, 0.1]
    kinds = dict.fromkeys(("repeat", "passage", "first", "text"), estimate)
    group = {"heads": ["0.0"], "rise": kinds, "draws": [], "excess": kinds, "carries": False}
    page = Induction.page(SETTINGS | {"plain": kinds, "float": kinds, "group": group, "heads": [], "correlation": 0.0})
    assert "No function: the whole model finds second halves no easier" in page


@pytest.mark.parametrize(("option", "value"), [("--heads", 13), ("--heads", 0), ("--period", 257), ("--draws", 0),
                                               ("--sequences", 1)])
def test_bad_options_are_one_line(texts, capsys, option, value):
    assert option in refused(pipeline, "audit", "induction", "--text", texts / "austen.txt", option, value,
                             capsys=capsys)


def test_a_short_text_is_refused(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("It is a truth.")
    assert "too short" in refused(pipeline, "audit", "induction", "--text", tmp_path / "short.txt", capsys=capsys)
