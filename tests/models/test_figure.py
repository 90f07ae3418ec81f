"""Figures: the same bytes for the same figure, and nothing of pyplot's."""

import sys

import pytest

from models.figure import new_figure, write_figure


def _drawn(path, heights):
    figure = new_figure(2, 1)
    field = figure.subplots()
    field.plot(heights, label="line", clip_on=True)
    field.legend()
    write_figure(figure, path)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_equal_figures_are_equal_bytes(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    first, second, other = (_drawn(tmp_path / f"{n}.{suffix}", heights) for n, heights in enumerate(
        ([1, 2], [1, 2], [2, 1])))
    assert first == second != other and b"CreationDate" not in first and b"dc:date" not in first


def test_no_settings_are_left_behind(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    sys.modules.pop("matplotlib.pyplot", None)
    size = _drawn(tmp_path / "a.png", [1, 2])[16:24]  # of the header
    assert [int.from_bytes(size[n:n + 4], "big") for n in (0, 4)] == [240, 120]
    assert dict(matplotlib.rcParams) == before and "matplotlib.pyplot" not in sys.modules
