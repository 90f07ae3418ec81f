"""Trials of the edges of commands: missing tools, folders that cannot be made, Ctrl-C, forks, an installed wheel."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from typing import NamedTuple

from scripts.verify.trials.trial import ROOT, Done, Trial, accepted, check, equal, refused

__all__: list[str] = []

_CASE_FUNCTION = re.compile(r"^c\(\) \{.*\}$", re.MULTILINE)
_RECORDED = """c() { n=$((n + 1)); printf %s "$1" > "$RECORD/$n.name"
bash -c "$2" > "$RECORD/$n.out" 2> "$RECORD/$n.err"; printf %s $? > "$RECORD/$n.status"; }"""
_MOVED = {"models.calibrate": "host.pipeline fit --kind sparsity --method teal",
          "host.steer fit": "host.pipeline fit --kind steering --method difference-of-means"}
"""Commands of trials that are older than those of today."""
_SECONDS = 600
_SLOW_SECONDS = 3000


class _Case(NamedTuple):
    name: str
    done: Done


def _cases(trial: Trial) -> Iterator[_Case]:
    """What each `c NAME COMMAND` line of the trial's `cases.sh` comes to; its own `c` keeps only the last line."""
    script = trial.folder / "cases.sh"
    text, found = _CASE_FUNCTION.subn(lambda _: _RECORDED, script.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"{script}: expected one function c that runs a case, found {found}")
    for before, now in _MOVED.items():
        text = text.replace(f"python -m {before} ", f"python -m {now} ")
    script.write_text(text, encoding="utf-8")
    record = trial.scratch / "cases"
    record.mkdir()
    trial.shell(["bash", script], environment={"RECORD": str(record)}, seconds=_SECONDS)
    names = sorted(record.glob("*.name"), key=lambda path: int(path.stem))
    if not names:
        raise ValueError(f"{script} ran no case")
    for path in names:
        status, out, err = (path.with_suffix(suffix) for suffix in (".status", ".out", ".err"))
        code = int(status.read_text()) if status.exists() else None
        yield _Case(path.read_text(), Done(code, *(file.read_bytes().decode(errors="replace") for file in (out, err))))


@check("sec-commands")
def sec_commands(trial: Trial) -> Iterator[str]:
    for name, done in _cases(trial):
        if "Ctrl-C" in name:
            yield from equal(done.status, 130, f"{name}: status")
            yield from equal(done.err, "", f"{name}: standard error")
        elif "closed" in name:
            yield from equal((done.status, done.out, done.err), (0, "", ""), name)
        elif "ascii" in name or "pipe" in name:
            yield from accepted(done, name)
            if "Traceback" in done.err:
                yield f"{name}: {done}"
        else:
            yield from refused(done, name)


@check("rtl-missing-tools")
def rtl_missing_tools(trial: Trial) -> Iterator[str]:
    for name, done in _cases(trial):
        yield from refused(done, name, *(("/proc/none", "TRITLOOM_CACHE") if "cache" in name else ()))
        if done.status == 2 and "cache" not in name and not re.search(r"g\+\+|make|perl|verilator", done.err, re.I):
            yield f"{name}: expected the missing tool's name, found {done}"


@check("hw-build-output")
def hw_build_output(trial: Trial) -> Iterator[str]:
    file = trial.scratch / "README.md"
    file.write_text("a file\n")
    for target in ("/proc/none/x", file):
        done = trial.run("hw.build", "--board", "sim-tiny", "--model", "demo", "-o", target)
        yield from refused(done, f"-o {target}", "/proc/none" if "/proc" in str(target) else target)
    yield from equal(file.read_text(), "a file\n", "the file in the way")


@check("sec-fork")
def sec_fork(trial: Trial) -> Iterator[str]:
    done = trial.shell([sys.executable, trial.folder / "fork.py"])
    yield from accepted(done, "fork.py")
    lines = done.out.splitlines()
    yield from equal(len(lines), 4, "cases that ended")
    for line in lines:
        if not line.endswith(": status 0"):
            yield line


@check("sec-wheel", slow=True)
def sec_wheel(trial: Trial) -> Iterator[str]:
    """The script builds in the folder it is run in: a copy of the checkout's sources."""
    sources = trial.scratch / "sources"
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(".git", "build", "dist", "*.egg-info", "__pycache__",
                                                                 ".venv", ".hypothesis", "*.so", "*.o"))
    done = trial.shell(["bash", trial.folder / "wheel.sh"], cwd=sources, seconds=_SLOW_SECONDS,
                       environment={"PYTHONPATH": ""})
    _, status, listed = done.out.partition("status 0\n")
    if not status:
        yield f"expected status 0 of hw.build out of the wheel, found {done}"
        return
    here = trial.scratch / "b"
    yield from accepted(trial.run("hw.build", "--board", "kv260", "--model", "demo", "-o", here,
                                  seconds=_SLOW_SECONDS), "hw.build out of the checkout")
    yield from equal(sorted(listed.split()), sorted(path.name for path in here.iterdir()), "files")
