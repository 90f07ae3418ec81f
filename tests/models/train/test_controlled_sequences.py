"""Sequences behind control tokens: who stands in front, where the manner changes, what counts."""

import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.train.controlled_sequences import IGNORED, ControlledSequences, counted_chance  # noqa: E402

STREAMS = [torch.arange(100, 200), torch.arange(200, 300)]  # the hundreds tell the manner
TOKENS = [1, 2]
WINDOW = 20


def sequences(count=400, **options):
    """Inputs and targets [count, WINDOW]."""
    settings = {"plain": 0.0, "switching": 0.5, "hazard": 0.2} | options
    return ControlledSequences(STREAMS, TOKENS, count, WINDOW, 0, **settings)(3)


def test_the_token_names_the_manner_at_the_end():
    inputs, _ = sequences()
    assert ((inputs[:, 0] == 1) == (inputs[:, -1] < 200)).all() and set(inputs[:, 0].tolist()) == {1, 2}
    manners = inputs[:, 1:] // 100
    changes = (manners[:, 1:] != manners[:, :-1]).sum(dim=1)
    assert set(changes.tolist()) == {0, 1}, "passages run on but for one change"
    assert 0.4 < (changes == 1).float().mean() < 0.6
    openings = (manners != manners[:, -1:]).sum(dim=1)
    assert openings.max() == 15 and 1 in openings, "up to three quarters"


def test_shares():
    inputs, targets = sequences(plain=1.0)
    assert (inputs >= 100).all() and (targets != IGNORED).all()
    assert torch.equal(targets[:, :-1], inputs[:, 1:])
    inputs, _ = sequences(plain=0.25)
    assert 0.2 < (inputs[:, 0] >= 100).float().mean() < 0.3
    inputs, targets = sequences(switching=0.0)
    assert (inputs[:, 1] // 100 == inputs[:, 0]).all() and (targets != IGNORED).all()


def test_shuffled_tokens_say_nothing():
    inputs, _ = sequences(1000, shuffled=True)
    right = (inputs[:, 0] == inputs[:, -1] // 100).float().mean()
    assert 0.45 < right < 0.55


def test_what_counts_makes_the_hazard_what_was_asked_for():
    inputs, targets = sequences(4000, switching=1.0)
    opening = (inputs[:, 1:] // 100 != inputs[:, :1]).sum(dim=1)  # tokens in the other manner
    assert (targets[:, 0] == IGNORED).all(), "no text begins in the other manner"
    for behind in (1, 4, 8, 11):
        goes_on = int(((opening > behind) & (targets[:, behind] != IGNORED)).sum())
        changes = int((opening == behind).sum())
        assert changes / (changes + goes_on) == pytest.approx(0.2, abs=0.04), behind
    assert (targets[torch.arange(len(targets)), opening] != IGNORED).all(), "the change itself counts"


def test_near_the_longest_opening_all_count():
    assert counted_chance(14, 15, 0.2) == counted_chance(11, 15, 0.2) == 1.0
    assert counted_chance(7, 15, 0.2) == 0.5 and counted_chance(0, 15, 0.2) == 0.0


def test_a_step_depends_on_itself_alone():
    made = ControlledSequences(STREAMS, TOKENS, 4, WINDOW, 7, plain=0.3, switching=0.5, hazard=0.2)
    first, other = made(5), made(6)
    assert torch.equal(made(5)[0], first[0]) and not torch.equal(first[0], other[0])


def test_a_short_text_is_refused():
    with pytest.raises(ModelError, match="shorter than a window of 100 tokens"):
        ControlledSequences(STREAMS, TOKENS, 4, 100, 0, plain=0.3, switching=0.5, hazard=0.2)
