# amaranth: UnusedElaboratable=no
"""The command that proves units: its list, its table, its JSON, its errors."""

from __future__ import annotations

import json

import pytest

from models.command import run_command
from scripts.verify.prove import main
from tests.proofs.catalogue import PROOFS
from tests.proofs.planted import PLANTED


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_command(main, arguments)
    return ended.value.code, *capsys.readouterr()


def test_units_are_listed(capsys):
    main(["--list", "--long", "Read", "Sem", "queue"])
    listed = capsys.readouterr().out.splitlines()
    assert listed == [proof.unit for proof in PROOFS if proof.unit.startswith(("Read", "Sem", "Queue"))]
    main(["--list", "--planted"])
    assert len(capsys.readouterr().out.splitlines()) == len(PLANTED)


def test_a_unit_is_proved(capsys):
    status, out, _ = run(capsys, "RoundRobin")
    assert status == 0 and out.endswith("3 of 3 rules hold, 0 of them within a bound\n")
    status, out, _ = run(capsys, "--json", "RoundRobin")
    assert status == 0 and [rule["verdict"] for rule in json.loads(out)["rules"][:2]] == ["proved"] * 2


def test_a_planted_fault_is_found(capsys):
    status, out, _ = run(capsys, "--planted", "RoundRobin")
    assert status == 0 and "broken in cycle 1" in out and out.endswith("1 of 1 planted faults found\n")


@pytest.mark.parametrize("arguments, text", [
    (["nothing"], "error: no unit's name begins with nothing"),
    (["--jobs", "0"], "error: --jobs and --seconds must be")])
def test_mistakes_are_one_line(capsys, arguments, text):
    status, _, error = run(capsys, *arguments)
    assert status == 2 and error.splitlines()[-1].startswith(text)
