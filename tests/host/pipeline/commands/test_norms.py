"""`report --kind normalisation`: a table, the same as JSON, and texts that are too short."""

import json

import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.commands.norms import norm_table
from host.pipeline.comparing_norms import NormRow
from models.command import run_command


def test_the_command_prints_both_places_of_the_norm(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("It was a truth that nobody had yet acknowledged, and nobody meant to.")
    given = ["report", "--kind", "normalisation", "--text", str(text)]
    run_command(pipeline.main, [*given, "--tokens", "20", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["scored_tokens"] == 1 + 20 and [row["runs"] for row in found["rows"]] == ["fabric", "cpu"]
    text.write_text("It.")
    with pytest.raises(SystemExit) as ended:
        run_command(pipeline.main, given)
    assert ended.value.code == 2 and "too short a text to decode: " in capsys.readouterr().err


def test_rows_have_lines():
    rows = [NormRow("rmsnorm", 1.0, "fabric", 0, 20.0, 1.0, 700.4, None),
            NormRow("x", 0.5, "cpu", 4, None, None, 30, 0.1)]
    assert norm_table(rows).splitlines()[2:] == [
        "| rmsnorm | 1 | fabric | 20.00 | × 1.000 | 700 |", "| x | 0.5 | cpu, 4 | none | – | 30 (× 0.10) |"]
