"""Where text starts to loop, which passes count, and a short run of the whole measurement."""

import json

import pytest

from models.command import run_command
from scripts.experiments import measure_speculation
from scripts.experiments.measure_speculation import PROMPTS, before_loop, loop_start


@pytest.mark.parametrize(("ids", "start"), [
    ([], 0),
    ([1, 2, 3], 3),
    ([1, 2] + [7] * 9, 3),  # nine alike: the eight after the first
    ([1, 2] + [7] * 8, 10),
    ([5, 1, 2, 3] * 3, 4),
    ([5, 1, 2, 3] * 2 + [9], 9),
    ([*range(20), *range(20)], 20),
    ([*range(20), *range(19)], 39),
    ([*range(20), 50, *range(20)], 41),  # said again, but not at once
])
def test_a_loop_is_a_block_that_follows_itself(ids, start):
    assert loop_start(ids) == start


def test_only_whole_passes_before_the_loop_count():
    passes = [0, 1, 1, 1, 2, 3, 3]
    assert before_loop(passes, 7) == (6, 3)
    assert before_loop(passes, 6) == (4, 2)
    assert before_loop(passes, 3) == before_loop(passes, 1) == before_loop(passes, 0) == (0, 0)


def test_the_command_on_short_texts(capsys):
    assert len(PROMPTS.read_text(encoding="utf-8").split("\n----\n")) == 10
    run_command(measure_speculation.main, ["-n", "12", "--drafts", "3", "--json"])
    results = json.loads(capsys.readouterr().out)["results"]
    assert len(results) == 20 and all(result["equal"] for result in results)
    assert all(1 <= result["all_tokens"] / result["all_passes"] <= 4 for result in results)


def test_a_missing_file_is_one_line(capsys):
    with pytest.raises(SystemExit):
        run_command(measure_speculation.main, ["--prompts", "no/such/file"])
    assert capsys.readouterr().err == "error: cannot read no/such/file: No such file or directory\n"
