"""The picture: a layer fills it, its names stay within their bars, the limit of the ports is drawn."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sim.bench import picture
from sim.bench.__main__ import main


@pytest.fixture
def drawn(board, small, tmp_path, monkeypatch):
    """The figure of a run, with the arguments of `draw`."""

    def of(*arguments):
        kept = []
        monkeypatch.setattr(picture, "write_figure", lambda figure, path: kept.append(figure))
        monkeypatch.setattr("sim.bench.__main__.draw", lambda *given: kept.append(given) or picture.draw(*given))
        main(["--board", board, "--model", small, "--context", "8", *arguments, "--picture", str(tmp_path / "a.png")])
        return kept[1], kept[0]

    return of


def test_a_layer_fills_it_and_names_fit(drawn):
    figure, (figures, timeline, descriptors, _) = drawn("--layers", "3")
    lanes, ports, shares = figure.axes
    first, end = picture.layer_window(timeline, descriptors, 1)
    assert 0 < first < end < timeline.cycles[-1]
    assert lanes.get_xlim() == ports.get_xlim() == (0, (end - first) / figures.build.clock_mhz)  # µs
    assert ports.lines[0].get_ydata()[0] == figures.ddr_limit
    assert f"{figures.ddr_limit} GB/s" in ports.texts[0].get_text()
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    names = {text.get_text() for text in lanes.texts}
    assert {"q", "k", "v", "o", "gate", "up", "down", "attend"} <= names
    bars = [lanes.transData.transform_bbox(path.get_extents()) for bar in lanes.collections for path in bar.get_paths()]
    for text in lanes.texts:
        box = text.get_window_extent(renderer)
        assert any(bar.x0 <= box.x0 and box.x1 <= bar.x1 and bar.y0 <= box.y0 and box.y1 <= bar.y1 for bar in bars)
    labels = [text.get_window_extent(renderer) for text in shares.get_legend().get_texts()]
    assert all(a.x1 < b.x0 for a, b in zip(labels, labels[1:], strict=False)) and labels[-1].x1 < figure.bbox.x1
    assert not shares.texts


def test_it_is_written(board, small, tmp_path):
    path = tmp_path / "cycles.png"
    main(["--board", board, "--model", small, "--phase", "linear", "--context", "8", "--picture", str(path)])
    assert path.read_bytes().startswith(b"\x89PNG")
