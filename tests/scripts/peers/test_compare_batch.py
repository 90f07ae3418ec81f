"""The comparison of a batch with its sequences alone: what it prints, and that it sees a wrong logit."""

import json

import numpy as np
import pytest

from host.runtime import Session, Top
from models.command import run_command
from models.machine.registers import SEQUENCES
from scripts.peers import compare_batch


def test_the_command_on_the_shipped_model(capsys):
    options = ["--sequences", "3", "-n", "4", "--prompt-tokens", "2", "--rounds", "2"]
    run_command(compare_batch.main, [*options, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["ratios"]) == 2 and min(found["ratios"]) <= found["median_ratio"] <= max(found["ratios"])
    assert found["alone_tokens_per_s"] > 0 and found["batch_tokens_per_s"] > 0 and found["sequences"] == 3
    run_command(compare_batch.main, options)
    assert capsys.readouterr().out.startswith("3 sequences: ")


def test_a_wrong_logit_ends_it(capsys, monkeypatch):
    advance = Session.advance

    def wrong(session, parts, *options):
        tops = advance(session, parts, *options)
        return tops if len(parts) == 1 else [*tops[:-1], Top(tops[-1].ids, tops[-1].logits + np.int32(1))]

    monkeypatch.setattr(Session, "advance", wrong)
    with pytest.raises(SystemExit):
        run_command(compare_batch.main, ["--sequences", "2", "-n", "2", "--prompt-tokens", "1", "--rounds", "1"])
    assert "do not give the logits that they give alone" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--sequences", SEQUENCES + 1), ("-n", 0), ("--rounds", 0)])
def test_counts_out_of_range_are_refused(option, value, capsys):
    with pytest.raises(SystemExit):
        run_command(compare_batch.main, [option, str(value)])
    assert f"error: {option} must be 1 to " in capsys.readouterr().err
