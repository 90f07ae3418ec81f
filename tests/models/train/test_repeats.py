"""Texts that repeat themselves: what comes twice, what has a target, and that a step is the same again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.eviction import everything  # noqa: E402
from models.train.evicting import IGNORED  # noqa: E402
from models.train.guide import NOWHERE  # noqa: E402
from models.train.repeats import RepeatSampler, repeated  # noqa: E402

STREAM = torch.randint(1, 200, (3000,), generator=torch.Generator().manual_seed(0))


def test_the_second_half_is_passages_of_the_first():
    for seed in range(20):
        ids, targets, answers = repeated(STREAM[:129], STREAM, np.random.default_rng(seed))
        assert len(ids) == len(targets) == len(answers) == 128
        assert (answers[:64] == NOWHERE).all() and (answers[64:] != NOWHERE).all()
        told = [place for place in range(64, 127) if targets[place] != IGNORED]
        assert len(told) > 40
        assert all(ids[answers[place]] == targets[place] == ids[place + 1] for place in told)
        assert all(ids[answers[place] - 1] == ids[place] for place in range(64, 128))
        shuffled = not torch.equal(ids[:64], STREAM[:64])
        assert (targets[:63] == IGNORED).all() == shuffled


def sampler(**changes):
    return RepeatSampler([STREAM, STREAM.flip(0)], [1, 3], 4, 64, 7, schedule=lambda rng: everything(64), beacon=5,
                         **changes)


def test_a_step_is_the_same_again():
    first, again, other = sampler()(3), sampler()(3), sampler()(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (4, 5, 64) and first[1].shape == (4, 64)
    assert (first[0][:, 0, 0] == 0).all(), "an end of text first"


def test_a_short_stream_is_told():
    with pytest.raises(ModelError, match="shorter than 64 tokens"):
        RepeatSampler([STREAM[:60]], [1], 4, 64, 7, schedule=lambda rng: everything(64), beacon=5)
