"""The fit's arithmetic and its command: on made-up times, and on a few of the measured placements."""

import csv

import numpy as np
import pytest

from models.errors import OptionError
from scripts.experiments import fit_memory
from scripts.experiments.fit_memory import agreement, main
from sim.placements import Placements


def test_agreement():
    board = np.array([100.0, 110.0, 90.0, 100.0])
    same, early = agreement(board, board), agreement(board * 0.9, board)
    assert (same.rms, same.mean, same.worst) == (0, 0, (0, 0)) and same.correlation == pytest.approx(1)
    assert early.rms == pytest.approx(0.1) and early.mean == pytest.approx(-0.1)
    assert agreement(np.array([100.0, 90.0, 110.0, 100.0]), board).correlation == pytest.approx(-1)


@pytest.fixture
def few(monkeypatch):
    """The first and the last eight of the placements, in place of all."""
    placements = Placements.measured()
    some = placements.chosen(np.r_[0:8, -8:0])
    monkeypatch.setattr(Placements, "measured", classmethod(lambda cls: some))
    monkeypatch.setattr(fit_memory, "_SEEDS", (1,))
    return some


def test_residuals(few, tmp_path, capsys):
    main(["--residuals", str(tmp_path / "residuals.csv")])
    printed = capsys.readouterr().out
    assert printed.startswith("fitted") and "held out" in printed
    rows = list(csv.DictReader((tmp_path / "residuals.csv").read_text().splitlines()))
    assert len(rows) == 16 and sum(row["half"] == "held out" for row in rows) == 8
    first = rows[0]
    assert (first["hp1_kib"], first["hp2_kib"], first["hp3_kib"], first["board_us"]) == ("0", "0", "0", "108.8")
    assert float(first["model_us"]) == pytest.approx(float(first["board_us"]) * (1 + float(first["error"])), rel=1e-3)


def test_a_fit_is_no_worse_than_where_it_began(few, capsys):
    def rms(arguments):
        main(arguments)
        return float(capsys.readouterr().out.split("rms ")[1].split(" %")[0])

    assert rms(["--fit", "6"]) <= rms([]) + 0.5
    with pytest.raises(OptionError, match="--fit must be at least 1, got 0"):
        main(["--fit", "0"])
