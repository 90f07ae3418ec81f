"""Starts of streams: where a region begins behind another, what is refused, and JSON there and back."""

import pytest

from models.errors import ModelError, OptionError
from models.machine.dram_starts import PACKED, DramStarts

KIB = 1024


@pytest.mark.parametrize("end", [0, 1, 1024, 65535, 65536, 200_000])
@pytest.mark.parametrize("start", [0, 16 * KIB])
def test_a_region_begins_at_its_start(end, start):
    starts = DramStarts(period=64 * KIB, streams=start)
    at = starts.behind(end, 64 * KIB, starts.streams, KIB)
    assert end <= at < end + 64 * KIB and at % (64 * KIB) == start
    packed = starts.behind(end, 64 * KIB - 1, starts.streams, KIB)  # shorter than a period
    assert packed == PACKED.behind(end, 1 << 20, 0, KIB) == -(-end // KIB) * KIB


@pytest.mark.parametrize("values, message", [
    ({"period": 3 * 4096}, "power of two"), ({"period": 2048}, "power of two"), ({"period": 2 << 20}, "power of two"),
    ({"streams": 4096}, "start of streams must be a multiple of 4096 below the period, got 4096"),
    ({"period": 65536, "caches": 65536}, "start of caches"), ({"period": 65536, "streams": 100}, "start of streams"),
    ({"period": 65536, "streams": -4096}, "start of streams"),
    ({"banks": 4}, "'banks': 4 is no start"), ({"period": "64K"}, "'period': '64K' is no start"),
    ({"period": True}, "is no start")])
def test_what_is_refused(values, message):
    with pytest.raises(OptionError, match=message):
        DramStarts.from_json(values)


def test_a_file_there_and_back(tmp_path):
    starts = DramStarts(period=65536, streams=4096, caches=8192)
    assert DramStarts.from_json(starts.to_json()) == starts
    (tmp_path / "starts.json").write_text('{"period": 65536, "streams": 4096, "caches": 8192}')
    assert DramStarts.read(tmp_path / "starts.json") == starts
    with pytest.raises(ModelError, match="no such file"):
        DramStarts.read(tmp_path / "none.json")
