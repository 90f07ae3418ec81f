"""A planted fault is seen by an assertion alone."""

import os
import subprocess
import sys

import pytest

from scripts.verify.fault_plugin import FAULT_VARIABLE, SEEN_VARIABLE, by_assertion
from sim.runner import BenchFailure


@pytest.mark.parametrize(("line", "seen"), [
    ("assert 1 + 1 == 3", True), ("raise ValueError('module top has no output o')", False), ("pass", False),
    ("import os; os.abort()", False)])
def test_what_counts(tmp_path, line, seen):
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {line}\n")
    marker = tmp_path / "seen"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p",
                    "scripts.verify.fault_plugin", str(tmp_path / "test_it.py")], capture_output=True,
                   env=os.environ | {FAULT_VARIABLE: "", SEEN_VARIABLE: str(marker)})
    assert marker.exists() == seen


def test_benches_count_where_theirs_failed():
    assert by_assertion(BenchFailure("a value", asserted=True)) and not by_assertion(BenchFailure("no results"))
    assert not by_assertion(TimeoutError())
