"""Text as it comes: whole characters alone, stop strings wherever tokens cut them, and why a reply ended."""

import pytest

from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.text import Text
from models.checkpoint import load_model


@pytest.fixture(scope="module")
def text():
    return Text(load_model("demo").folder)


def grown(text, said, *, stops=(), limit=None, room=100, ends=(2000,), stop_ids=(), prompt=(0,)):
    """A reply that took ids until it ended or there were no more, and its text after each."""
    request = Request(list(prompt), lambda top, history: 0, limit, stops=stops)
    reply, texts = Reply(request, ends=ends, stop_ids=stop_ids, text=text, room=room), []
    reply.start(0)
    for token in said:
        reply.take(token)
        texts.append(reply.text)
        if reply.finish is not None:
            break
    return reply, texts


def test_only_whole_characters_come_out(text):
    said = "well \N{DUCK} na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve"
    ids = text.encode(said)
    reply, texts = grown(text, ids, limit=len(ids))
    assert reply.text == said and all(said.startswith(part) for part in texts)
    assert any(a == b for a, b in zip(texts, texts[1:], strict=False))  # a duck takes several tokens
    half = ids[:texts.index("well \N{DUCK}")]
    assert grown(text, half)[1][-1] == "well "
    assert grown(text, half, limit=len(half))[0].text.startswith("well \N{REPLACEMENT CHARACTER}")


def test_a_stop_string_over_token_borders(text):
    ids = text.encode("one two three")
    for stop in ("two", "o t", "wo thr", " ", "e"):
        reply, texts = grown(text, ids, stops=(stop,))
        before = "one two three".partition(stop)[0]
        assert (reply.finish, reply.text) == (Finish.STOP, before) and len(reply.ids) <= len(ids)
        assert all(before.startswith(part) for part in texts)


def test_what_could_have_been_a_stop_comes_at_the_end(text):
    ids = text.encode("one two")
    reply, texts = grown(text, ids, stops=("two three",), limit=len(ids))
    assert reply.finish == Finish.LIMIT and reply.text == "one two" and texts[-2] == "one"
    reply, _ = grown(text, [*ids, 2000], stops=("two three",))
    assert reply.finish == Finish.END and reply.text == "one two" and reply.ids == ids
    reply, _ = grown(text, ids, stops=("two three",))
    reply.end(Finish.CANCELLED)
    assert reply.text == "one "


def test_pieces_are_the_text(text):
    reply, pieces = Reply(Request([0], None), ends=(), stop_ids=(), text=text, room=99), []
    for token in text.encode("one two three"):
        reply.take(token)
        pieces.append(reply.take_text())
    assert "".join(pieces) == "one two three" and len(pieces) > 2 and reply.take_text() == ""


def test_what_ends_it(text):
    assert grown(text, [5, 6, 2000, 7])[0].finish == Finish.END
    reply, _ = grown(text, [5, 6, 1, 7], stop_ids=(1,), ends=(1, 2000))
    assert reply.finish == Finish.STOP and reply.ids == [5, 6]
    for limit, room, finish in ((2, 3, Finish.LIMIT), (3, 2, Finish.CONTEXT), (None, 2, Finish.CONTEXT),
                                (2, 2, Finish.CONTEXT)):
        reply, _ = grown(text, [5, 6, 7, 8], limit=limit, room=room)
        assert (reply.finish, reply.ids, reply.left) == (finish, [5, 6], 0)


def test_without_a_tokenizer_there_are_ids_alone():
    reply, texts = grown(None, [5, 6, 7], limit=2)
    assert reply.ids == [5, 6] and texts == [None, None] and reply.take_text() == ""


def test_times(text, monkeypatch):
    now = 10.0
    monkeypatch.setattr("host.engine.reply.time.perf_counter", lambda: now)
    reply = Reply(Request([0, 1], None), ends=(), stop_ids=(), text=None, room=99)
    assert reply.prefill_s == reply.decode_s == reply.speed == 0
    reply.start(1)
    now = 12.0
    assert reply.prefill_s == 2 and reply.cached == reply.prompt_done == 1
    reply.take(5)
    now = 16.0
    assert reply.prefill_s == 2 and reply.decode_s == reply.speed == 0
    reply.take(6)
    reply.take(7)
    now = 20.0
    reply.end(Finish.CANCELLED)
    assert (reply.prefill_s, reply.decode_s, reply.speed) == (2, 4, 0.5)
    silent = Reply(Request([0, 1], None), ends=(), stop_ids=(), text=None, room=99)
    silent.start(0)
    now = 21.0
    silent.end(Finish.CANCELLED)
    now = 30.0
    assert silent.prefill_s == 1
