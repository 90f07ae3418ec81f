"""The command from text to folder, and its complaints."""

import sys

import pytest

from models.command import run_command
from models.train.__main__ import main
from models.train.score import main as score

TINY = "--vocab 270 --hidden 64 --ffn 64 --layers 1 --heads 1 --kv-heads 1 --context 16 --batch 2 --steps 2"


def refused(capsys, command, *arguments):
    """The one line of a refusal."""
    with pytest.raises(SystemExit) as end:
        run_command(command, list(map(str, arguments)))
    out, err = capsys.readouterr()
    assert end.value.code == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1
    return err


@pytest.fixture
def files(tmp_path, text):
    for name in ("trained", "unseen"):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_text_to_scored_model(files, capsys):
    pytest.importorskip("torch")
    arguments = ["--text", files / "trained.txt", "--hold-out", files / "unseen.txt", "-o", files / "model"]
    main([*map(str, arguments), *TINY.split(), "--prompt", "It was"])
    printed = capsys.readouterr().out
    assert "--- It was" in printed
    score(["--model", str(files / "model"), "--text", str(files / "unseen.txt")])
    figure = capsys.readouterr().out.split()[0]
    assert f"unseen {figure}" in printed, "the exported model scores what the trained one did"


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--hold-out-book", "Ruth"], "no book named Ruth"),
        (["--norm", "seednorm", "--norm-heads", "3"], "64 channels do not divide among 3 heads of the norm"),
        (["--activation", "spark", "--kept", "1"], "kept is 1.0, but must be below 1"),
        (["--heads", "3", "--kv-heads", "2"], "3 heads do not divide among 2"),
        (["--weights", "1", "2"], "2 weights for 1 texts"),
        (["--resume"], "no such tokenizer"),
        (["--steps", "0"], "steps is 0"),
        (["--l1", "-1"], "l1 is -1.0, but must not be negative"),
        (["--l1-stages", "0"], "l1_stages is 0"),
        (["--dtype", "int8"], "dtype is 'int8', but must be one of bfloat16, float32"),
        (["--initial", "absent"], "no model folder at absent"),
        (["--initial", "demo"], "demo has vocab 2048, but the run wants 270"),
        (["--only", "layers.*"], "--only needs --initial"),
        (["--initial", "demo", "--tokenizer", "t"], "--tokenizer and --initial exclude each other"),
        (["--initial", "demo", "--resume"], "--resume and --initial exclude each other"),
    ],
)
def test_bad_input_is_one_line_and_status_2(files, capsys, arguments, complaint):
    pytest.importorskip("torch")
    assert complaint in refused(capsys, main, "--text", files / "trained.txt", "-o", files / "model", *TINY.split(),
                                *arguments)


@pytest.mark.parametrize("arguments, complaint", [
    (["--text", "absent.txt", "-o", "model"], "absent.txt"),
    (["--text", "latin.txt", "-o", "model"], "latin.txt: it is not UTF-8"),
])
def test_a_text_that_cannot_be_read_is_named(tmp_path, monkeypatch, capsys, arguments, complaint):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    assert complaint in refused(capsys, main, *arguments)


def test_a_folder_that_was_not_trained_here_is_named(files, capsys):
    pytest.importorskip("torch")
    (files / "other").mkdir()
    (files / "other" / "config.json").write_text("{}")
    arguments = ["--model", files / "other", "--text", files / "unseen.txt"]
    assert "is no model that was trained here: 'vocab_size'" in refused(capsys, score, *arguments)


@pytest.mark.parametrize("command, arguments, complaint", [
    (main, ["-o", "/proc/none"], "/proc/none cannot be written"), (main, ["-o", "m", "--threads", "0"], "--threads"),
    (score, ["--model", "m", "--threads", "0"], "--threads")])
def test_options_are_looked_at_before_pytorch_is(monkeypatch, capsys, command, arguments, complaint):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert complaint in refused(capsys, command, "--text", "x", *arguments)


@pytest.mark.parametrize("command, target", [(main, "-o"), (score, "--model")])
def test_without_pytorch_it_says_what_to_install(files, monkeypatch, capsys, command, target):
    for name in [n for n in sys.modules if n.startswith("models.train.") and n != "models.train.recipe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    err = refused(capsys, command, "--text", files / "trained.txt", target, files / "model")
    assert err == "error: this needs the package torch: pip install 'tritloom[train]'\n"
