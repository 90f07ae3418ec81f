"""Spans are copied or mirrored right behind themselves; what is not copied and what a step gives stay the same."""

import pytest

from scripts.experiments.copied_snippets import BACKWARD, FORWARD, PLAIN, CopiedSnippets

torch = pytest.importorskip("torch")
CONTEXT = 16


def counted(step):
    """Windows of different numbers."""
    rows = torch.arange(CONTEXT + 1) + 100 * (1 + step) * torch.arange(1, 9)[:, None]
    return rows[:, :-1], rows[:, 1:]


def rows_of(direction, step=0, **changes):
    settings = {"share": 1.0, "least": 3, "most": 6, "context": CONTEXT, "seed": 4} | changes
    inputs, targets = CopiedSnippets(counted, direction, **settings)(step)
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    return torch.cat([inputs, targets[:, -1:]], dim=1).tolist()


@pytest.mark.parametrize("direction", [FORWARD, BACKWARD])
def test_a_span_stands_before_its_copy_and_all_else_stays(direction):
    plain = rows_of(PLAIN)
    spans = set()
    for row, original in zip(rows_of(direction), plain, strict=True):
        changed = [i for i, (ours, theirs) in enumerate(zip(row, original, strict=True)) if ours != theirs]
        first, span = changed[0], changed[-1] - changed[0] + 1
        copy = row[first - span:first][::1 if direction == FORWARD else -1]
        assert row[first:first + span] == copy and len(set(copy)) == span
        spans.add(span)
    assert spans <= set(range(3, 7)) and len(spans) > 1


def test_both_directions_copy_the_same_spans_and_steps_differ():
    forth, back = (rows_of(direction) for direction in (FORWARD, BACKWARD))
    assert [sorted(row) for row in forth] == [sorted(row) for row in back] and forth != back
    assert rows_of(FORWARD, seed=5) != forth == rows_of(FORWARD)


def test_a_share_of_the_rows_is_left_alone():
    copied = sum(ours != theirs for step in range(40) for ours, theirs in
                 zip(rows_of(FORWARD, step, share=0.25), rows_of(PLAIN, step), strict=True))
    assert 50 < copied < 110  # of 320, 80 expected
    assert rows_of(FORWARD, share=0.0) == rows_of(PLAIN)


def test_spans_must_fit_twice():
    with pytest.raises(ValueError, match="3 to 9 tokens do not fit twice"):
        CopiedSnippets(counted, FORWARD, share=1.0, least=3, most=9, context=CONTEXT, seed=0)
