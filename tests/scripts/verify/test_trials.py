"""The command that runs trials: its table, and that its checks see what is wrong."""

import sys

import pytest

from models.command import run_command
from scripts.verify.trials import __main__ as trials
from scripts.verify.trials.trial import CHECKS, Check, Done, Trial, accepted, equal, refused

GOOD = "error: x.gguf: tokenizer.ggml.model: expected a name\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three trials, of which one has no check; the second reads what it lacks."""
    def right(trial):
        yield from ()

    def wrong(trial):
        yield "the first fault"
        (trial.folder / "README.md").write_text("changed")
        yield trial.answer  # no such attribute

    for name in ("right", "wrong", "unheard-of"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text("as it was")
    monkeypatch.setattr(trials, "CHECKS", {"right": Check(right, True), "wrong": Check(wrong, False)})
    return tmp_path


def table(*arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(trials.main, list(map(str, arguments)))
    return ended.value.code, capsys.readouterr()


def test_the_table_tells_pass_failure_and_no_check(folder, capsys):
    status, shown = table(folder, capsys=capsys)
    lines = [line.split() for line in shown.out.splitlines()]
    assert status == 1
    assert lines[0] == ["unheard-of", "no", "check"] and lines[1][:3] == ["wrong", "FAIL", "the"]
    assert lines[2][:4] == ["the", "check", "ended", "in"] and "AttributeError" in shown.out
    assert lines[3] == ["right", "pass"], "slow ones come last"
    assert shown.out.endswith("1 of 3 pass, 1 without a check\n")
    assert (folder / "wrong" / "README.md").read_text() == "as it was"


def test_one_trial_alone(folder, capsys):
    status, shown = table(folder, "--only", "right", capsys=capsys)
    assert status == 0 and shown.out == "right  pass\n1 of 1 pass\n"
    assert table(folder, "--only", "right", "--quick", capsys=capsys)[1].out == "0 of 0 pass\n"
    status, shown = table(folder, "--only", "none", capsys=capsys)
    assert status == 2 and "no trial 'none'" in shown.err


@pytest.mark.parametrize(("done", "fault"), [
    (Done(2, "", GOOD), None),
    (Done(0, "", GOOD, 0), "expected status 2"),
    (Done(1, "", "Traceback\n" + GOOD, 0), "expected status 2"),
    (Done(2, "", "a note\n" + GOOD, 0), "2 lines"),
    (Done(2, "", "", 0), "0 lines"),
    (Done(2, "", "x.gguf: no prefix\n", 0), "expected status 2"),
    (Done(2, "", "error: x.gguf: \x1b[2J\n", 0), "not printable"),
    (Done(2, "", "error: something else\n", 0), "expected x.gguf in the line"),
    (Done(None, "", "", 0), "limit of time"),
    (Done(-11, "", "", 0), "status -11"),
])
def test_a_refusal_is_one_line(done, fault):
    faults = list(refused(done, "case", "x.gguf"))
    assert not faults if fault is None else len(faults) == 1 and fault in faults[0]


def test_faults_of_what_is_accepted():
    assert not list(accepted(Done(0, "", "a note", 0), "case")) and list(accepted(Done(2, "", GOOD), "case"))
    assert not list(equal([1], [1], "ids")) and list(equal([1], [2], "ids")) == ["ids: expected [2], found [1]"]


def test_commands_have_a_limit_of_time_and_their_memory_is_seen(tmp_path):
    (tmp_path / "trial").mkdir()
    (tmp_path / "scratch").mkdir()
    trial = Trial(tmp_path / "trial", tmp_path / "scratch")
    code = "import sys; data = b'x' * (1200 << 20); print(sys.stdin.read(), end=''); sys.exit(3)"
    done = trial.shell([sys.executable, "-c", code], stdin="given")
    assert (done.status, done.out) == (3, "given") and 1200 << 20 < done.memory < 1400 << 20
    assert trial.shell([sys.executable, "-c", "while True: pass"], seconds=0.5).status is None


def test_checks_are_known_by_the_folders_names():
    assert {"sec-commands", "sec-gguf-types", "crlf-input", "head-size-100"} <= CHECKS.keys()
    assert [name for name, check in CHECKS.items() if check.slow] == ["sec-wheel"]
