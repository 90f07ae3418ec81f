"""The command from text to folder, and its complaints."""

import sys

import pytest

from models.train.__main__ import main

TINY = "--vocab 270 --hidden 64 --ffn 64 --layers 1 --heads 1 --kv-heads 1 --context 16 --batch 2 --steps 2"


def call(monkeypatch, command, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    return command()


@pytest.fixture
def files(tmp_path, text):
    for name in ("trained", "unseen"):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_text_to_scored_model(files, monkeypatch, capsys):
    pytest.importorskip("torch")
    from models.train.score import main as score

    arguments = ["--text", files / "trained.txt", "--hold-out", files / "unseen.txt", "-o", files / "model"]
    assert call(monkeypatch, main, *arguments, *TINY.split(), "--prompt", "It was") == 0
    printed = capsys.readouterr().out
    assert "--- It was" in printed
    assert call(monkeypatch, score, "--model", files / "model", "--text", files / "unseen.txt") == 0
    figure = capsys.readouterr().out.split()[0]
    assert f"unseen {figure}" in printed, "the exported model scores what the trained one did"


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--hold-out-book", "Ruth"], "no book named Ruth"),
        (["--heads", "3", "--kv-heads", "2"], "3 heads do not divide among 2"),
        (["--weights", "1", "2"], "2 weights for 1 texts"),
        (["--resume"], "no such tokenizer"),
        (["--steps", "0"], "steps is 0"),
    ],
)
def test_bad_input_is_one_line_and_status_2(files, monkeypatch, capsys, arguments, complaint):
    pytest.importorskip("torch")
    base = ["--text", files / "trained.txt", "-o", files / "model", *TINY.split()]
    assert call(monkeypatch, main, *base, *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and complaint in lines[0]


def test_a_missing_file_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    assert call(monkeypatch, main, "--text", tmp_path / "absent.txt", "-o", tmp_path / "model") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_pytorch_it_says_what_to_install(files, monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith("models.train.") and n != "models.train.recipe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert call(monkeypatch, main, "--text", files / "trained.txt", "-o", files / "model") == 2
    assert capsys.readouterr().err == "models.train: torch is not installed: pip install 'tritloom[train]'\n"
