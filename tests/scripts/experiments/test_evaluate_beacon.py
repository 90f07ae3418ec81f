"""Ways are compared at equal rows, and the tables say what was measured."""

import numpy as np
import pytest

from host.context.recall import Kept
from models.eviction import everything
from scripts.experiments.evaluate_beacon import Measured, Way, difference_table, main, table, ways


def test_a_window_has_the_rows_of_its_beacons_and_random_rows_have_no_fewer_than_they_need():
    found = {(way.name, way.ratio): way for way in ways(256, 32, [2, 8])}
    for ratio in (2, 8):
        rows = found["beacons", ratio].schedule.peak
        assert found["window with sinks", ratio].schedule.peak == rows
        assert rows - 32 // ratio <= found["random rows", ratio].schedule.peak <= rows
    assert found["full cache", None].schedule.peak == 256
    assert found["unit and sinks alone", None].schedule.peak == 36
    assert {way.model for way in found.values() if way.name != "beacons"} == {"window", "shipped"}


def measured(name, ratio, nll, recall):
    way = Way(name, "beacons", ratio, everything(10))
    kept = Kept(np.array(nll), {64: np.array(recall)})
    return Measured(way, 1234, kept, Kept(np.array(nll) + 1, {64: np.array(recall) / 2}))


def test_the_tables_have_means_errors_and_differences_by_text():
    found = [measured("beacons", 2, [3.0, 3.2, 3.4], [0.5, 0.7, 0.9]),
             measured("window with sinks", 2, [3.1, 3.3, 3.5], [0.2, 0.4, 0.6])]
    assert "| 2 | beacons | 10 | 1,234 | 70% ± 11.5 / 35% | 24.53 ± 2.83 / 66.69 |" in table(found)
    assert "| 2 | +30.0 ± 0.0 | -0.100 ± 0.000 |" in difference_table(found)


@pytest.mark.parametrize("arguments, complaint", [
    (["--draws", "1"], "a standard error needs at least two draws"),
    (["--beacons", "absent"], "no model folder at absent")])
def test_bad_input_is_told(arguments, complaint, tmp_path):
    with pytest.raises(Exception, match=complaint):
        main(["--data", str(tmp_path), "--beacons", "demo", "--window", "demo", *arguments])
