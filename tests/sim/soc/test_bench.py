"""Tokens a second of the simulated board: whose cycles are whose, and the emulator's tokens."""

from __future__ import annotations

import json

import pytest

from models.command import run_command
from models.errors import OptionError
from models.synth import synthetic_model
from sim.soc import bench
from sim.soc.filled_memory import filled_memory
from sim.soc.verilated_board import simulated_board
from tests.sim.soc.boards import BUILD, TINY


@pytest.mark.slow
@pytest.mark.parametrize("turnaround", [0.0, 1e-3])
def test_shares_of_a_tiny_model(turnaround):
    model = synthetic_model(TINY, seed=5)
    with simulated_board(BUILD, filled_memory(model, BUILD)) as board:
        found = bench.measured(board, BUILD, model, [[1, 2], [32]], 2, turnaround=turnaround)
    assert found["uploaded_bytes"] == 0 and found["repeats"] == 0 and found["sdram_findings"] == {}
    assert len(found["answers"]) == 2 and all(len(answer) == 2 for answer in found["answers"])
    for name, tokens in (("prompt", 3), ("decode", 4)):
        phase = found[name]
        shares = [phase[f"{part}_share"] for part in ("run", "line", "link", "host")]
        assert phase["tokens"] == tokens and sum(shares) <= 1.0001 and phase["line_share"] > 0.1
        assert (phase["host_share"] > 0) == (turnaround > 0)
        assert phase["tokens_per_s"] * phase["cycles_per_token"] == pytest.approx(BUILD.clock_mhz * 1e6, rel=0.01)


@pytest.mark.slow
def test_the_shipped_model_three_prompts(capsys):
    run_command(bench.main, ["--model", "demo", "-n", "4", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["answers"]) == 3 and found["uploaded_bytes"] == 0 and found["sdram_findings"] == {}


def test_what_is_refused():
    with pytest.raises(OptionError, match="-n must be at least 1"):
        bench.main(["-n", "0"])
