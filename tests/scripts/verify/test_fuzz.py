"""The fuzzers: a fixed short budget of each kind, and that the harness sees what it is for."""

import sys
from pathlib import Path
from random import Random

import pytest

from models.command import run_command
from scripts.verify.fuzz import __main__ as command
from scripts.verify.fuzz.kinds import KINDS
from scripts.verify.fuzz.outcome import FINE, REFUSED, Outcome
from scripts.verify.fuzz.pool import Worker, run_cases
from scripts.verify.fuzz.report import Tally, keep_finding, record, table

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")

CASES = {"gguf": 24, "huggingface": 20, "tokenizer": 16, "own": 24, "artefact": 100, "template": 16}
WHOLE = 8  # enough for each make of each kind to come up; the quick tests take the first half
PLANTED = [sys.executable, str(Path(__file__).with_name("planted_worker.py")), "planted"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_inputs_come_to_one_line_or_run(kind, tmp_path, capsys):
    tally = command.fuzz(kind, 0, range(CASES[kind]), tmp_path / "findings")
    assert tally.findings == 0, capsys.readouterr().out
    # the damage is neither overlooked nor always fatal
    assert tally.verdicts[FINE] >= 2 and tally.verdicts[REFUSED] >= CASES[kind] // 4
    assert not (tmp_path / "findings").exists() and tally.memory > 30e6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cases", [
    range(WHOLE // 2), pytest.param(range(WHOLE // 2, WHOLE), marks=pytest.mark.slow)], ids=["first", "second"])
def test_inputs_are_right_before_they_are_damaged(kind, cases, tmp_path, capsys):
    tally = command.fuzz(kind, 1, cases, tmp_path, whole=True, show=True)
    assert tally.verdicts == {FINE: len(cases)}, capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_case(kind, tmp_path):
    def contents(folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    cases = []
    for name in ("first", "second"):
        seeds = tmp_path / f"{name}-seeds"
        seeds.mkdir()
        made, cases_of = KINDS[kind](seeds), []
        for number in range(3):
            folder = tmp_path / name / str(number)
            folder.mkdir(parents=True)
            cases_of.append((made.write(Random(number), folder), contents(folder)))
        cases.append(cases_of)
    assert cases[0] == cases[1] and cases[0][0] != cases[0][1]


def planted(tmp_path, fault, **settings):
    """What a worker makes of a command with a fault, and of a case after it."""
    worker = Worker([*PLANTED, fault, "damaged"], tmp_path, **settings)
    try:
        return worker.run(0), worker.run(1), worker.case
    finally:
        worker.close()


@pytest.mark.parametrize(("fault", "verdict", "detail"), [
    ("fine", "fine", ""),
    ("refused", "refused", "error: what was asked for is not there"),
    ("traceback", "traceback", "KeyError: 'a traceback'"),
    ("panic", "traceback", "PanicError: a library's panic"),
    ("status", "traceback", "exit status 7"),
    ("crash", "crash", "SIGSEGV"),
    ("memory", "memory", " MB"),
    ("address-space", "memory", "not enough memory"),
    ("partial", "left behind", "out/half"),
    ("temporary", "left behind", "tmp/tmp"),
    ("removed", "left behind", "removed: "),
    ("process", "left behind", "process "),
    ("several-lines", "message", "expected one line"),
    ("printed-traceback", "message", "Traceback"),
    ("warning", "message", "Warning: on standard error"),
    ("escapes", "message", "\\x1b"),
    ("library", "message", "panicked at"),
])
def test_a_planted_fault_is_seen(fault, verdict, detail, tmp_path):
    first, second, files = planted(tmp_path, fault)
    assert first.verdict == verdict and detail in first.detail, first
    assert second.verdict == verdict, "a fault does not hide the next"
    assert first.is_finding == (verdict not in ("fine", "refused"))
    assert (files / "input").exists() == (fault != "removed")


@pytest.mark.parametrize("fault", ["hang", "wait"])
def test_a_hang_is_ended_and_says_where(fault, tmp_path):
    first, second, _ = planted(tmp_path, fault, seconds=0.25)
    assert (first.verdict, second.verdict) == ("hang", "hang") and "planted_command.py" in first.detail


def test_a_worker_that_does_not_start_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(lambda _: Worker([sys.executable, "-c", "print('no')"], tmp_path).run(0))
    assert ended.value.code == 2 and "a worker does not start" in capsys.readouterr().err


def test_cases_run_side_by_side_each_once(tmp_path):
    def make_worker(index):
        return Worker([*PLANTED, "fine", "damaged"], tmp_path / str(index))

    seen = [(case, outcome.verdict, (files / "input").exists())
            for case, outcome, files in run_cases(make_worker, range(9), 2, None)]
    assert sorted(seen) == [(case, "fine", True) for case in range(9)]
    assert list(run_cases(make_worker, range(9), 2, 0)) == []


def test_a_finding_is_kept_with_the_way_to_see_it_again(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "model.gguf").write_bytes(b"GGUF")
    outcome = Outcome("traceback", "KeyError: '\ud800'", "python -m models.convert model.gguf -o out")
    folder = keep_finding(tmp_path / "kept", "gguf", 3, 45, outcome, files)
    assert (folder / "case" / "model.gguf").read_bytes() == b"GGUF"
    text = (folder / "finding.txt").read_text()
    assert "--kind gguf --seed 3 --case 45" in text and "models.convert" in text and "KeyError" in text


def test_counts_go_to_the_document_between_its_marks(tmp_path):
    tally = Tally(7)
    for case, outcome in enumerate([Outcome("fine", memory=10**8, seconds=0.5), Outcome("refused"), Outcome("hang")]):
        tally.add(case, outcome)
    assert table({"gguf": tally}).splitlines()[-1] == "| gguf | 7 | 3 | 1 | 1 | 1 | 100 | 0.5 |"
    document = tmp_path / "measurements.md"
    start, end = "<!-- fuzz: written by scripts.verify.fuzz --record -->", "<!-- fuzz: end -->"
    document.write_text(f"before\n{start}\n{end}\nafter\n")
    for kind in ("gguf", "own", "gguf"):  # a second record takes the place of the first
        record(document, {kind: tally})
    assert document.read_text() == f"before\n{start}\n{table({'gguf': tally, 'own': tally})}\n{end}\nafter\n"


def test_the_command_ends_in_status_1_on_findings(tmp_path, monkeypatch, capsys):
    def fuzz(kind, *_, **__):
        tally = Tally(0)
        tally.add(0, Outcome("crash" if kind == "own" else "fine"))
        return tally

    monkeypatch.setattr(command, "fuzz", fuzz)
    for kind, status in (("own", 1), ("gguf", 0), ("all", 1)):
        with pytest.raises(SystemExit) as ended:
            run_command(command.main, ["--kind", kind])
        assert ended.value.code == status
    assert capsys.readouterr().out.count("| kind | seed |") == 3


def test_the_document_has_the_marks(tmp_path):
    document = tmp_path / "copy.md"
    document.write_text(command._DOCUMENT.read_text())
    record(document, {"gguf": Tally(5)})
    assert "| gguf | 5 | 0 |" in document.read_text()
