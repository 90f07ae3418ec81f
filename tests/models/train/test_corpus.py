"""Splits by heading, held-out books, and reproducible windows."""

import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.train.corpus import Sampler, encode, read_corpus, split_books  # noqa: E402


def collection() -> str:
    books = {"Genesis": 60, "1 Samuel": 40, "Song of Solomon": 2, "Éxodo": 1}
    return "".join(f"{b} {c + 1}\n\nA verse of {b} {c + 1}.\n" for b, n in books.items() for c in range(n))


def test_books_are_whole_and_in_order():
    books = split_books(collection())
    assert list(books) == ["Genesis", "1 Samuel", "Song of Solomon", "Éxodo"]
    assert "".join(books.values()) == collection()


def test_a_novel_is_one_document(tmp_path):
    text = "Chapter 1\n\nIt was.\n\nChapter 2\n\nIt was not.\n"
    assert split_books(text) == {}
    (tmp_path / "novel.txt").write_text(text)
    assert read_corpus([tmp_path / "novel.txt"], [], []).training == {"novel": [text]}


def test_held_out_text_never_reaches_training(tmp_path):
    (tmp_path / "bible.txt").write_text(collection())
    (tmp_path / "novel.txt").write_text("held out")
    corpus = read_corpus([tmp_path / "bible.txt"], [tmp_path / "novel.txt"], ["1 Samuel"])
    assert corpus.held_out.keys() == {"novel", "1 Samuel"}
    assert corpus.held_out["1 Samuel"] == split_books(collection())["1 Samuel"]
    assert not any("Samuel" in document for document in corpus.training["bible"])


def test_contradictions_are_refused(tmp_path):
    path = tmp_path / "bible.txt"
    path.write_text(collection())
    with pytest.raises(ModelError, match="no book named Ruth"):
        read_corpus([path], [], ["Ruth"])
    with pytest.raises(ModelError, match="both trained on and held out"):
        read_corpus([path], [path], [])


def test_end_of_text_stands_around_every_document(tokenizer):
    ids = encode(tokenizer, ["It was", "And the"]).tolist()
    assert [i for i, token in enumerate(ids) if token == 0] == [0, ids.index(0, 1), len(ids) - 1]
    assert tokenizer.decode(ids) == "It wasAnd the"


def test_windows_depend_on_seed_and_step_alone():
    streams = [torch.arange(1000), torch.arange(5000, 6000)]
    sampler = Sampler(streams, [1.0, 3.0], batch=64, context=16, seed=3)
    inputs, targets = sampler(7)
    assert torch.equal(inputs[:, 1:], targets[:, :-1]) and inputs.shape == (64, 16)
    sampler(8)
    assert torch.equal(Sampler(streams, [1.0, 3.0], 64, 16, 3)(7)[0], inputs)
    assert not torch.equal(Sampler(streams, [1.0, 3.0], 64, 16, 4)(7)[0], inputs)
    assert 0.6 < (inputs[:, 0] >= 5000).float().mean() < 0.9


def test_a_stream_shorter_than_a_window_is_refused():
    with pytest.raises(ModelError, match="shorter than the context"):
        Sampler([torch.arange(16)], [1.0], batch=1, context=16, seed=0)
