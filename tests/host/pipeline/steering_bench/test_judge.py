"""The judge separates manners, takes unknown words for no evidence, and says what is broken and what repeats."""

import pytest

from host.pipeline.steering_bench.judge import Judge, repeated_share

NOVEL = "The carriage waited while Miss Price considered the invitation. She was very much pleased with it."
BIBLE = "And it came to pass that the LORD spake unto him. And he begat sons and daughters in the land."
JUDGE = Judge(BIBLE, NOVEL)


def test_it_separates_the_manners():
    assert JUDGE.log_odds_per_word("the LORD begat sons") > 0.3
    assert JUDGE.log_odds_per_word("Miss Price was pleased") < -0.3
    assert JUDGE.accuracy(BIBLE, NOVEL, words=5) == (1.0, 1.0)


def test_unknown_words_and_silence_are_no_evidence():
    assert JUDGE.log_odds_per_word("xyzzy") == JUDGE.log_odds_per_word("...") == 0
    assert JUDGE.log_odds_per_word("begat xyzzy") == pytest.approx(JUDGE.log_odds_per_word("begat") / 2)


def test_words_of_other_scripts_count():
    judge = Judge("schöne Bäume über Flüsse", "nice trees over rivers")
    assert judge.log_odds_per_word("Über Bäume") > 0 > judge.log_odds_per_word("over trees")


def test_broken_words_leave_out_the_last_which_may_be_cut():
    assert JUDGE.broken_share("the LORD xyzzy spake unt") == 0.25
    assert JUDGE.broken_share("unt") == JUDGE.broken_share("") == 0


def test_repetition_is_of_runs_of_three_words():
    assert repeated_share("and he said and he said and he said") == pytest.approx(1 - 3 / 7)
    assert repeated_share("and he went") == repeated_share("and") == 0
