"""Methods beside each other by the command: fitted, random and shuffled at equal cost, both ways; what is left out."""

import json

import pytest

from host.pipeline.__main__ import main
from host.pipeline.methods import find_methods
from host.pipeline.steering_bench import comparison
from host.pipeline.steering_bench.comparison import BUDGETS, COMPARED, comparable
from models.errors import OptionError
from tests.host.pipeline.steering_bench.texts import write_texts


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    texts = write_texts(tmp_path_factory.mktemp("texts"))
    return ["report", "--kind", "steering", "--toward", str(texts["bible"]), "--away", str(texts["novel"]),
            "--held-out-toward", str(texts["held_bible"]), "--held-out-away", str(texts["held_novel"]),
            "--prompts", "4", "--new-tokens", "4", "--windows", "1", "--draws", "1", "--jobs", "1",
            "--method", "difference-of-means"]


@pytest.mark.parametrize("budgets", [(0.02, 0.05), pytest.param(None, marks=pytest.mark.slow, id="all, processes")])
def test_the_command_compares_at_equal_cost(command, tmp_path, capsys, monkeypatch, budgets):
    pytest.importorskip("matplotlib")
    swept, held = (budgets, budgets[1:]) if budgets else (BUDGETS, COMPARED)
    if budgets:
        monkeypatch.setattr(comparison, "BUDGETS", swept)
        monkeypatch.setattr(comparison, "COMPARED", held)
    else:
        command = [*command, "--jobs", "2"]
    main([*command, "--json", "--plot", str(tmp_path / "frontier.png")])
    found = json.loads(capsys.readouterr().out)
    assert [side["target"] for side in found["plain"]] == ["held_bible", "held_novel"]
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")
    for side, method in zip(found["plain"], found["methods"], strict=True):
        assert (method["method"], method["target"], method["error"]) == ("difference-of-means", side["target"], "")
        assert (method["runs"], method["cuts"]) == ("fabric", 0) and method["tokens_per_s"] > 0
        by = {(row["what"], row["budget"]): row for row in method["rows"]}
        assert {budget for what, budget in by if what == "fitted"} == {*swept, None}
        for what in ("random", "shuffled"):
            assert {budget for kind, budget in by if kind == what} == set(held)
        for (_, budget), row in by.items():
            cost = row["outcome"]["cost"]
            if budget is not None:
                assert abs((cost["target"] * cost["source"]) ** 0.5 - 1 - budget) < 0.5 * budget
            assert len(row["outcome"]["texts"]) == 4
        assert by["fitted", None]["strength"] == -by["fitted", 0.05]["strength"]


def test_every_method_that_two_texts_fit_is_compared():
    names = {cls.method for cls in comparable(find_methods())}
    assert {"difference-of-means", "au-steer", "lin-eas", "eigen-shift"} <= names


def test_what_is_missing_or_wrong_is_said(command):
    for change, words in ((["--method", "nothing"], "unknown steering method 'nothing'; known: "),
                          (["--prompts", "1"], "--prompts must be at least 2"), (["--jobs", "0"], "--jobs must be")):
        with pytest.raises(OptionError, match=words):
            main([*command, *change])
    with pytest.raises(OptionError, match="needs --toward, --away"):
        main(command[:-2][:5])
