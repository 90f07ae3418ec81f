"""The shortlist against sorting in Python's integers, and the head's order of listed rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.golden.head import top_k
from models.golden.shortlist import SCORE_BITS, shortlist, shortlist_scores


@st.composite
def choices(draw):
    tokens, vocab, dim = draw(st.integers(1, 3)), draw(st.integers(1, 30)), draw(st.integers(1, 5))
    small = draw(st.booleans())  # so that many scores are equal
    q = draw(arrays(np.int64, (tokens, dim), elements=st.integers(-2, 2) if small else st.integers(-127, 127)))
    trits = draw(arrays(np.int8, (vocab, dim), elements=st.integers(-1, 1)))
    scales = draw(arrays(np.int16, (vocab,), elements=st.integers(0, 2) if small else st.integers(0, 32767)))
    return q, trits, scales, draw(st.integers(1, 40))


@given(choices())
def test_the_list_is_the_sorted_vocabulary_cut_short(choice):
    q, trits, scales, k = choice
    for row, found in zip(q.tolist(), shortlist(q, trits, scales, k), strict=True):
        scores = [sum(a * t for a, t in zip(row, own, strict=True)) * g
                  for own, g in zip(trits.tolist(), scales.tolist(), strict=True)]
        assert found.tolist() == sorted(range(len(scores)), key=lambda n: (-scores[n], n))[:k]


def test_the_widest_scores_are_exact():
    q, trits = np.full((1, 65535), 127), np.ones((2, 65535), np.int8)
    trits[1] = -1
    scores = shortlist_scores(q, trits, np.full(2, 32767, np.int16))
    assert scores.tolist() == [[127 * 65535 * 32767, -127 * 65535 * 32767]]
    assert scores.max() < 1 << SCORE_BITS - 1


@given(arrays(np.int64, st.integers(1, 20), elements=st.integers(-3, 3)), st.integers(1, 25), st.randoms())
def test_the_best_of_listed_rows_do_not_depend_on_their_order(values, k, random):
    ids = np.array(random.sample(range(100), values.size))
    best = sorted(zip((-values).tolist(), ids.tolist(), strict=True))[:k]
    found_ids, found = top_k(values, k, ids)
    assert found_ids.tolist() == [i for _, i in best] and found.tolist() == [-v for v, _ in best]
