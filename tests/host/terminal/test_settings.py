"""/set: what takes effect, what is refused and then leaves all as it was."""

import pytest

from host.terminal.settings import SETTINGS
from models.errors import ArtefactError, OptionError


@pytest.mark.parametrize("name, value, field, expected", [
    ("temperature", "0", "temperature", 0.0), ("top-k", "40", "top_k", 40), ("top-p", ".5", "top_p", 0.5),
    ("min-p", "0.05", "min_p", 0.05), ("repeat-penalty", "1.1", "repeat_penalty", 1.1),
    ("repeat-last", "-1", "repeat_last", -1), ("seed", "7", "seed", 7)])
def test_sampling(settings, name, value, field, expected):
    settings.change(name, value)
    assert getattr(settings.sampler, field) == expected and name in SETTINGS
    assert dict(settings.lines())[name] == f"{expected:g}"


def test_draws_go_on_but_for_a_new_seed(settings):
    sampler = settings.sampler
    settings.change("temperature", "0.2")
    assert settings.sampler is sampler
    settings.change("seed", "3")
    assert settings.sampler is not sampler and settings.sampler.temperature == 0.2


def test_count_and_stops(settings):
    assert settings.count is None and dict(settings.lines())["n"] == "as the context allows"
    settings.change("n", "12")
    assert settings.count == 12
    for none in ("", "none"):
        settings.change("n", none)
        assert settings.count is None
    for value, stops in (("the end", ["the end"]), ('"\\n"', ["\n"]), ("", []), ("<|eot_id|>", ["<|eot_id|>"]),
                         ("none", [])):
        settings.change("stop", value)
        assert settings.stops == stops


@pytest.mark.parametrize("name, value, words", [
    ("temperature", "warm", "temperature takes a number, got 'warm'"), ("temperature", "-1", "must not be negative"),
    ("temperature", "nan", "temperature must not"), ("top-k", "1.5", "top-k takes a whole number, got '1.5'"),
    ("top-p", "0", "top p must be in"), ("seed", "-1", "seed must not be negative"), ("n", "0", "n must be at least 1"),
    ("n", "few", "n takes a whole number"), ("stop", '"a', "must be a JSON string"),
    ("stop", '""', "must not be empty"),
    ("stop", "x<|eot_id|>", "would never come"), ("stage", "one 1", "there are no stages"),
    ("volume", "11", "there is no setting volume: /set takes temperature, top-k"),
])
def test_what_makes_no_sense_changes_nothing(settings, name, value, words):
    before = list(settings.lines()), settings.sampler
    with pytest.raises(OptionError) as refused:
        settings.change(name, value)
    assert words in str(refused.value) and (list(settings.lines()), settings.sampler) == before


def test_stages_by_name_and_number(staged):
    assert staged.stage_names() == ["one", "two"]
    staged.change("stage", "one 0.5")
    staged.change("stage", "2 -3")
    assert [stage.strength for _, stage in staged.chosen.stages] == [0.5, -3.0]
    assert [value.rpartition("strength ")[2] for _, value in staged.stage_lines()] == ["0.5", "-3"]


@pytest.mark.parametrize("value, words", [
    ("three 1", "there is no stage called three; there are 1 one, 2 two"), ("one much", "the strength takes a number"),
    ("one", "takes a stage's name or number and a strength"), ("", "takes a stage's name or number"),
    ("3 1", "no stage called 3"), ("one inf", "must be finite")])
def test_stages_that_make_no_sense(staged, value, words):
    with pytest.raises((OptionError, ArtefactError)) as refused:
        staged.change("stage", value)
    assert words in str(refused.value) and [stage.strength for _, stage in staged.chosen.stages] == [2.0, 1.0]
