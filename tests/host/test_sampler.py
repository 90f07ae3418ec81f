"""Each filter against its definition, on logits small enough to follow."""

import argparse
from collections import Counter

import numpy as np
import pytest

from host.runtime import Top
from host.sampler import Sampler, add_sampling_options, sampler_from
from models.errors import OptionError

ONE = 1 << 16


def top(*logits, ids=None):
    """Best first, ids 10, 11, …"""
    return Top(np.array(ids or range(10, 10 + len(logits)), np.int32), np.array(np.array(logits) * ONE, np.int32))


def share(sampler, given, draws=4000, history=()):
    """{id: how often it was drawn}."""
    counts = Counter(sampler(given, history) for _ in range(draws))
    return {token: count / draws for token, count in counts.items()}


def kept(given, **options):
    """The ids that can be drawn."""
    return set(share(Sampler(temperature=1.0, seed=0, **options), given, 3000))


HALVES = top(*np.log([0.5, 0.25, 0.125, 0.0625, 0.0625]))


def test_greedy_takes_the_best():
    assert Sampler(0.0)(HALVES) == 10


def test_temperature_scales_the_logits():
    for temperature in (0.5, 1.0, 2.0):
        p = np.exp(np.log([0.5, 0.25, 0.125, 0.0625, 0.0625]) / temperature)
        found = share(Sampler(temperature, seed=1), HALVES)
        assert [found[10 + i] for i in range(5)] == pytest.approx(p / p.sum(), abs=0.03)


def test_top_k():
    assert kept(HALVES, top_k=2) == {10, 11}
    assert kept(HALVES) == kept(HALVES, top_k=100) == {10, 11, 12, 13, 14}


def test_top_p_keeps_the_least_set_that_reaches_it():
    assert kept(HALVES, top_p=0.4) == {10}
    assert kept(HALVES, top_p=0.6) == {10, 11}
    assert kept(HALVES, top_p=0.8) == {10, 11, 12}


def test_min_p_is_relative_to_the_best():
    assert kept(HALVES, min_p=0.6) == {10}
    assert kept(HALVES, min_p=0.4) == {10, 11}
    assert kept(HALVES, min_p=0.2) == {10, 11, 12}
    assert kept(HALVES, min_p=1.0) == {10}


def test_filters_follow_the_temperature():
    flat = Sampler(temperature=4.0, min_p=0.6, seed=0)  # 0.25 / 0.5 becomes 0.84 of the best
    assert {flat(HALVES) for _ in range(2000)} == {10, 11, 12}  # 0.125 / 0.5: 0.71; 0.0625 / 0.5: 0.59


def test_top_p_counts_what_top_k_left():
    assert kept(HALVES, top_k=2, top_p=0.6) == {10}  # two thirds of what is left


def test_the_penalty_divides_positive_and_multiplies_negative_logits():
    given = top(2.0, 1.5, -1.0, -1.2)
    greedy = Sampler(0.0, repeat_penalty=1.5)
    assert greedy(given) == greedy(given, [11, 12]) == 10
    assert greedy(given, [10]) == 11  # 2 / 1.5 = 1.33
    assert greedy(given, [10, 11]) == 10  # 1.33 against 1
    assert Sampler(0.0, repeat_penalty=1.3)(top(-1.0, -1.2), [10]) == 11  # -1.3


def test_a_penalty_below_one_favours_what_was_there():
    assert Sampler(0.0, repeat_penalty=0.5)(top(2.0, 1.5), [11]) == 11


def test_filters_see_the_penalised_order():
    given = top(2.0, 1.5, 1.0)
    sampler = Sampler(temperature=1.0, top_k=1, repeat_penalty=3.0, seed=0)
    assert share(sampler, given, 50, [10]) == {11: 1.0}


@pytest.mark.parametrize("last, expected", [(1, 10), (2, 11), (64, 11), (-1, 11), (0, 10)])
def test_the_penalty_looks_back_so_far(last, expected):
    assert Sampler(0.0, repeat_penalty=2.0, repeat_last=last)(top(2.0, 1.5), [10, 99]) == expected


def test_presence_and_frequency_count_what_the_sampler_chose():
    once = Sampler(0.0, presence_penalty=0.6)
    assert [once(top(2.0, 1.5, 1.3), [10, 10]) for _ in range(5)] == [10, 11, 10, 10, 10]  # 1.4 > 1.3 > 0.9
    each = Sampler(0.0, frequency_penalty=0.4)
    assert [each(top(2.0, 1.5)) for _ in range(6)] == [10, 10, 11, 10, 11, 10]
    assert [Sampler(0.0, presence_penalty=-1.0)(top(2.0, 1.5)) for _ in range(3)] == [10] * 3


def test_the_smallest_numbers_choose_the_best():
    least = 5e-324
    sampler = Sampler(least, top_p=least, min_p=least, repeat_penalty=least, seed=0)
    assert {sampler(top(2.0, 1.5, -1.0), [11, 12]) for _ in range(5)} == {11}
    assert {Sampler(least, seed=seed)(top(0.0, 0.0, -1.0)) for seed in range(20)} == {10, 11}


def test_seeds_repeat_and_differ():
    def draw(seed):
        sampler = Sampler(1.0, seed=seed)
        return [sampler(HALVES) for _ in range(20)]

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize("options, message", [
    (dict(temperature=-1), "temperature must not be negative, got -1"),
    (dict(temperature=float("nan")), "temperature must not be negative, got nan"),
    (dict(top_k=-1), "top k must not be negative"), (dict(top_p=0), r"top p must be in \(0, 1\]"),
    (dict(min_p=1.5), r"min p must be in \[0, 1\]"), (dict(repeat_penalty=0), "repeat penalty must be positive"),
    (dict(presence_penalty=float("inf")), "presence penalty must be finite"),
    (dict(repeat_last=-2), "repeat last must be -1 or more"), (dict(seed=-1), "seed must not be negative"),
])
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Sampler(**options)


def test_options_become_a_sampler():
    parser = argparse.ArgumentParser()
    add_sampling_options(parser)
    given = ("--temperature 0.5 --top-k 3 --top-p 0.8 --min-p 0.1 --repeat-penalty 1.1 --repeat-last 32 --seed 4")
    assert sampler_from(parser.parse_args(given.split())) == Sampler(0.5, 3, 0.8, 4, 0.1, 1.1, 32)
    assert sampler_from(parser.parse_args([])) == Sampler(0.7, 0, 0.95, 0)
