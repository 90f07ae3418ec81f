"""The table of fine-tunes: choices at equal gain, the lowest beside its controls, recorded between the marks."""

import pytest

from scripts.experiments import evaluate_condition
from scripts.experiments.evaluate_condition import page
from scripts.experiments.selective_tuning import Choice, Loss, Settings, Tuned
from tests.host.test_commands import refused

CONTROLS = ("highest of the lowest's shapes", "random of the lowest's shapes")


def made(what, seed, learnt, forgotten):
    """A fine-tune in one look: nats learnt, and forgotten of both texts alike."""
    path = [Loss(0, 6.0, (3.0, 3.4)), Loss(30, 6.0 - learnt, (3.0 + forgotten, 3.4 + forgotten))]
    return Tuned(Choice(what, seed, ("a", "b"), 2_000_000), seed, path, Loss(30, 6.01 - learnt, (3.0, 3.4)))


def test_choices_are_compared_at_equal_gain():
    tuned = [made("lowest", seed, 2.0, 0.4 + 0.02 * seed) for seed in (0, 1)]
    tuned += [made(control, seed, 1.0, amount + 0.01 * seed)
              for control, amount in zip(CONTROLS, (0.3, 0.1), strict=True) for seed in (0, 1)]
    tuned.append(made("highest", 0, 0.5, 0.5))
    lines = page(tuned, Settings()).splitlines()
    assert "| forgotten where 0.50 are learnt | forgotten where 1.00 are learnt |" in lines[2]
    assert lines[4] == ("| lowest | 2 | 2 | 2.00 | 2.000 ± 0.000 | 0.410 ± 0.010 | 0.410 ± 0.010 | 0.102 ± 0.003 | "
                        "0.205 ± 0.005 | 0.010 |")
    assert lines[7].endswith("| 0.500 | not reached | 0.010 |")
    assert "-0.100 ± 0.000 beside the highest of the lowest's shapes, paired by seed: less (" in lines[-3]
    assert "+0.100 ± 0.000 beside the random of the lowest's shapes, paired by seed: more (" in lines[-1]


@pytest.mark.parametrize("seeds, verdict", [(2, "a tie"), (5, "more")])
def test_two_runs_that_differ_prove_little(seeds, verdict):
    """The same mean and spread over more runs is certain."""
    tuned = [made("lowest", seed, 1.0, 0.40 + 0.02 * (seed % 2)) for seed in range(seeds)]
    tuned += [made(control, seed, 1.0, 0.35) for control in CONTROLS for seed in range(seeds)]
    assert page(tuned, Settings()).count(f"paired by seed: {verdict} (") == 2


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Old texts and a document."""
    (tmp_path / "austen_northanger_abbey.txt").write_text("No one who had ever seen her. " * 20)
    (tmp_path / "kjv.txt").write_text("Romans 1\n\nPaul, a servant of Jesus.\n\nHosea 1\n\nThe word of the LORD.\n")
    (tmp_path / "audits.md").write_text(f"before\n{evaluate_condition._START}\nold\n{evaluate_condition._END}\n")
    monkeypatch.setattr(evaluate_condition, "_DOCUMENT", tmp_path / "audits.md")
    return tmp_path


def test_every_choice_is_tuned_and_recorded(data, monkeypatch, capsys):
    asked = []

    def tune(choice, seed, settings, text, scored, folder):
        asked.append((choice.what, choice.draw, seed, folder.name))
        assert settings.steps == 20 and "statement" in text and len(scored) == 3 and max(map(len, scored)) <= 12
        return made(choice.what, seed, 1.0 + 0.1 * seed, 0.2)

    monkeypatch.setattr(evaluate_condition, "tune", tune)
    evaluate_condition.main(["--data", str(data), "-o", str(data / "out"), "--seeds", "2", "--steps", "20", "--scored",
                             "12", "--record"])
    assert len(asked) == len(set(asked)) == len({name for *_, name in asked}) == 1 + 3 * 2 + 2 * 2
    assert ("all", 0, 0, "all-0-0") in asked and ("random", 1, 1, "random-1-1") in asked
    recorded = (data / "audits.md").read_text()
    assert "old" not in recorded.splitlines() and recorded.count("\n| ") == 2 + 6
    assert "20 steps of 4 windows" in recorded
    assert capsys.readouterr().out.strip() in recorded


@pytest.mark.parametrize("options, complaint", [
    (["--seeds", 1], "--seeds must be at least 2"), (["--count", 42], "--count within 1 .. 41"),
    (["--every", 7], "--steps a multiple of --every"), (["--rate", 0], "must be above 0")])
def test_bad_options_are_one_line(data, capsys, options, complaint):
    assert complaint in refused(evaluate_condition, "--data", data, "-o", data / "out", *options, capsys=capsys)
