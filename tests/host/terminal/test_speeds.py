"""Speeds in words: what ran, what the cache had, rates only of enough tokens."""

from types import SimpleNamespace

import pytest

from host.terminal.speeds import answer_speed, duration, prompt_speed


def reply(**given):
    return SimpleNamespace(**{"prompt_done": 0, "cached": 0, "prefill_s": 0.0, "ids": [], "decode_s": 0.0} | given)


@pytest.mark.parametrize("seconds, words", [(3.4e-4, "340 µs"), (0.0123, "12 ms"), (1.254, "1.25 s"), (14.04, "14 s"),
                                            (0.9999, "1 s"), (1400.4, "1400 s")])
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("given, words", [
    ({"prompt_done": 5, "prefill_s": 0.004}, "5 prompt tokens in 4 ms"),
    ({"prompt_done": 40, "prefill_s": 0.5}, "40 prompt tokens in 500 ms (80 tok/s)"),
    ({"prompt_done": 40, "cached": 39, "prefill_s": 0.5}, "1 prompt token in 500 ms, 39 from the cache"),
    ({"prompt_done": 40, "cached": 40}, "0 prompt tokens, 40 from the cache"),
])
def test_prompts(given, words):
    assert prompt_speed(reply(**given)) == words


@pytest.mark.parametrize("count, seconds, words", [
    (0, 0.0, "0 new"), (1, 0.0, "1 new"), (2, 0.001, "2 new in 1 ms"), (16, 0.1, "16 new in 100 ms"),
    (17, 0.1, "17 new in 100 ms (160 tok/s)"), (12001, 1.0, "12001 new in 1 s (12,000 tok/s)"),
])
def test_answers(count, seconds, words):
    assert answer_speed(reply(ids=[7] * count, decode_s=seconds)) == words
