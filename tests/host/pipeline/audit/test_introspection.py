"""The audit of introspection: planted runs are told as they must be, the command gives every place, and its page."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.detection import Detected
from host.pipeline.audit.injection import Runs, random_directions
from host.pipeline.audit.introspection import Introspection, Kind, _asked
from tests.host.test_commands import refused, run

GROUPS, EACH, HIDDEN, WORDS = 6, 10, 16, 12


def runs(rng, shift=None, noise=1.0):
    """Runs of three layers, whose states and log-probabilities are noise, moved by `shift` [groups, hidden]."""
    states = noise * rng.standard_normal((3, GROUPS * EACH, HIDDEN))
    if shift is not None:
        states[1:] += np.repeat(shift, EACH, axis=0)
    return Runs(states, rng.standard_normal((GROUPS * EACH, WORDS)))


def told(rng, of):
    """The detectors of runs whose vectors are `of(seed)` to fit on and to ask about."""
    kinds = {name: Kind(runs(rng, of(1)), runs(rng, of(2))) for name in ("words", "random")}
    row = _asked(kinds, Kind(runs(rng), runs(rng)), runs(rng), 0, GROUPS)[0]
    assert set(row["by_layer"]) == {"1", "2"} and isinstance(row["detectors"]["probe"], Detected)
    return {name: found.auc for name, found in row["detectors"].items()}


def test_what_all_vectors_share_is_found_and_shuffled_labels_find_nothing(rng):
    found = told(rng, lambda seed: np.tile(3 * np.eye(HIDDEN)[2], (GROUPS, 1)))
    assert min(found["probe"], found["probe of the other kind"]) > 0.95
    assert 0.3 < found["probe, shuffled"] < 0.7 and 0.3 < found["word"] < 0.7


def test_a_probe_of_the_other_kind_looks_elsewhere(rng):
    shared = {"words": 3 * np.eye(HIDDEN)[2], "random": 3 * np.eye(HIDDEN)[9]}
    kinds = {name: Kind(*(runs(rng, np.tile(shift, (GROUPS, 1))) for _ in range(2))) for name, shift in shared.items()}
    for row in _asked(kinds, Kind(runs(rng), runs(rng)), runs(rng), 0, GROUPS):
        assert row["detectors"]["probe"].auc > 0.95 and row["detectors"]["probe of the other kind"].auc < 0.75


def test_other_vectors_are_found_by_their_norm_alone(rng):
    found = told(rng, lambda seed: 6 * random_directions(GROUPS, HIDDEN, seed))
    assert found["norm"] > 0.95 and 0.2 < found["probe"] < 0.8


def test_a_word_that_rises_or_falls_is_chosen_and_reports_it(rng):
    def with_word(word, by, kind):
        for part in kind:
            part.log_probabilities[:, word] += by
        return kind

    kinds = {name: with_word(word, by, Kind(runs(rng), runs(rng)))
             for name, word, by in (("words", 5, 4), ("random", 7, -4))}
    rows = _asked(kinds, Kind(runs(rng), runs(rng)), runs(rng), 0, GROUPS)
    assert [row["word"] for row in rows] == [5, 7]
    assert all(row["detectors"]["word"].auc > 0.98 and row["median_word"] < 0.65 for row in rows)


def test_the_command_asks_at_every_place(texts, capsys):
    arguments = ["audit", "introspection", "--text", texts / "austen.txt", "--held-out", texts / "scripture.txt",
                 "--vectors", 2, "--each", 2, "--layers", "1,4", "--strengths", "0.3,4"]
    found = run(pipeline, *arguments, "--json", capsys=capsys)
    assert [(row["layer"], row["strength"], row["kind"]) for row in found["rows"]] == [
        (layer, strength, kind) for layer in (1, 4) for strength in (0.3, 4) for kind in ("words", "random")]
    assert [list(row["by_layer"]) for row in found["rows"]] == [["2", "3", "4", "5"]] * 4 + [["5"]] * 4
    page = Introspection.page(found)
    assert len([line for line in page.splitlines() if line.startswith(("| 1", "| 4"))]) == 3 * 8
    assert page.splitlines()[-1].startswith("| 4 | 4 | random | – | – | – | ")


@pytest.mark.parametrize("option, complaint", [
    (("--vectors", 1), "--vectors must be at least 2"), (("--each", 1), "--each must be at least 2"),
    (("--layers", "5"), "--layers must lie within 0 .. 4"), (("--strengths", "0.1,0"), "--strengths takes numbers"),
    (("--strengths", "x"), "--strengths takes numbers"), (("--vectors", 40), "prompts of 16 were asked for")])
def test_bad_options_are_one_line(texts, capsys, option, complaint):
    command = ["--text", texts / "austen.txt", "--held-out", texts / "scripture.txt"]
    assert complaint in refused(pipeline, "audit", "introspection", *command, *option, capsys=capsys)
