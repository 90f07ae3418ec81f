"""The command: schedules by name, a run from the shipped model to a folder, complaints."""

import numpy as np
import pytest

from models.command import run_command
from models.eviction import BEACON, beacons
from models.train.beacons import main, schedules


def test_ratios_of_beacons_are_drawn_unit_by_unit():
    draw, rng = schedules("beacons", 256, 32, [2, 8], 4), np.random.default_rng(0)
    counts = [np.diff(np.searchsorted(found.positions[found.tokens == BEACON], range(0, 257, 32)))
              for found in (draw(rng) for _ in range(20))]
    assert {int(count) for found in counts for count in found} == {4, 16}
    assert any(len(set(found.tolist())) == 2 for found in counts)


def test_the_control_has_windows_of_as_many_rows_random_rows_and_everything():
    draw, rng = schedules("window", 256, 32, [2, 8], 4), np.random.default_rng(0)
    peaks = [draw(rng).peak for _ in range(60)]
    assert set(peaks) >= {256, beacons(256, 32, [2]).peak, beacons(256, 32, [8]).peak}
    assert 8 <= peaks.count(256) <= 24


def test_all_rows_stay_where_all_are_asked_for():
    assert schedules("all", 64, 32, [2], 4)(np.random.default_rng(0)).peak == 64


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("It was the best of walks, and she said that it was little.\n" * 20, encoding="utf-8")
    return path


def test_a_run_gives_a_folder_that_converts(text_file, tmp_path, capsys):
    pytest.importorskip("torch")
    from models.convert import convert

    main(["--text", str(text_file), "-o", str(tmp_path / "trained"), "--tokens", "32", "--unit", "8", "--steps", "1",
          "--batch", "2", "--guided", "0.5", "--warmup", "1"])
    assert "seconds" in capsys.readouterr().out
    convert(tmp_path / "trained", tmp_path / "model")
    assert (tmp_path / "model" / "tokenizer.json").is_file()


@pytest.mark.parametrize("arguments, complaint", [
    (["--ratios", "3"], "a unit of 32 tokens does not divide into parts of 3"),
    (["--threads", "0"], "--threads must be at least 1"),
    (["--guided", "-1"], "--guided must not be negative"),
    (["--tokens", "0"], "--tokens must be at least 16"),
    (["--unit", "0"], "--unit must be at least 1"),
    (["--weights", "1", "2"], "2 weights for 1 texts"),
    (["--rows", "window", "--sinks", "64"], "does not hold 64 sinks"),
    (["--initial", "absent"], "no model folder at absent")])
def test_bad_input_is_one_line_and_status_2(text_file, tmp_path, capsys, arguments, complaint):
    pytest.importorskip("torch")
    with pytest.raises(SystemExit) as end:
        run_command(main, ["--text", str(text_file), "-o", str(tmp_path / "model"), *arguments])
    err = capsys.readouterr().err
    assert end.value.code == 2 and complaint in err and err.count("\n") == 1
