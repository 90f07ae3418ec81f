"""Starts of streams: the rates that the model has for them, and the file that a command takes."""

import json

import numpy as np

from hw.boards.registry import BOARDS
from models.machine.dram_starts import DramStarts
from scripts.experiments.place_streams import best_start, main, stream_rates


def test_the_lowest_of_the_best():
    assert best_start(np.array([14.0, 15.0, 15.0, 14.9]), [0, 4096, 8192, 12288]) == 4096


def test_starts_repeat_with_the_banks():
    rates = stream_rates([0, 8 << 10, 16 << 10, 64 << 10], 1 << 18)
    assert rates[0] == rates[2] == rates[3] > rates[1]


def test_the_file_is_the_boards_start(tmp_path, capsys):
    main(["--model", "demo", "-o", str(tmp_path / "starts.json")])
    assert "best: 0 KiB" in capsys.readouterr().out
    starts = DramStarts.read(tmp_path / "starts.json")
    assert starts.streams == BOARDS["kv260"].starts.streams == 0
    assert json.loads((tmp_path / "starts.json").read_text())["period"] == starts.period == 16 << 10
