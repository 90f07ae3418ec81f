"""Audits are found by themselves; the command asks each."""

import pytest

from host.pipeline.audit.audit import find_audits
from models.command import run_command


def test_every_audit_is_found_by_its_name():
    found = find_audits()
    assert "massive" in found and all(name == audit.name and audit.summary for name, audit in found.items())


def test_the_help_of_the_command_lists_them(capsys):
    import host.pipeline.__main__ as pipeline

    with pytest.raises(SystemExit) as end:
        run_command(pipeline.main, ["audit", "--help"])
    assert not end.value.code
    printed = capsys.readouterr().out
    assert all(name in printed for name in find_audits())
