"""Every token is scored once, with the context that the window gives it."""

import math

import pytest

torch = pytest.importorskip("torch")

from models.train.evaluate import bits_per_character, negative_log_likelihood, sample  # noqa: E402


def windowed(network, ids):
    """The definition, a token at a time: every token is scored in the first window that has it."""
    context, total, scored = network.shape.context, 0.0, 1
    for start in range(0, len(ids), context // 2):
        window = ids[start : start + context]
        logs = network(window[None])[0].log_softmax(-1)
        while scored < start + len(window):
            total -= logs[scored - start - 1, ids[scored]].item()
            scored += 1
    return total


@pytest.mark.parametrize("length", [2, 17, 31, 32, 33, 48, 49, 100])
def test_windows_follow_the_definition(network, length):
    ids = torch.randint(280, (length,), generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        assert negative_log_likelihood(network, ids, batch=2) == pytest.approx(windowed(network, ids), rel=1e-4)


def test_bits_are_over_characters_not_bytes_or_tokens(network, tokenizer):
    text = "£20,000 was little.\n"
    ids = torch.tensor([0, *tokenizer.encode(text).ids])
    expected = negative_log_likelihood(network, ids) / math.log(2) / len(text)
    assert bits_per_character(network, tokenizer, text) == pytest.approx(expected)


def test_samples_repeat_with_their_seed_and_fit_the_context(network, tokenizer):
    a, b, c = (sample(network, tokenizer, "It was", 99, 1.0, 50, seed) for seed in (1, 1, 2))
    assert a == b != c and a.startswith("It was")
