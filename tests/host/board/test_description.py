"""What is read of accel.json."""

import json

import pytest

from host.board.description import Description, read_description
from hw.boards.registry import BUILDS
from models.errors import DeviceError

BUILD = BUILDS["sim-tiny"]
CONTENT = {"hash": "c0ffee42" + "0" * 56, "clock_mhz": 250, "parameters": BUILD.to_json()}


def test_word_and_clock_are_read(tmp_path):
    (tmp_path / "accel.json").write_text(json.dumps(CONTENT))
    assert read_description(tmp_path / "accel.json", BUILD) == Description(0xC0FFEE42, 250.0)


@pytest.mark.parametrize("changes", [{"hash": "xyz"}, {"clock_mhz": None}, {"parameters": 3}])
def test_damage_is_one_line(tmp_path, changes):
    (tmp_path / "accel.json").write_text(json.dumps(CONTENT | changes))
    with pytest.raises(DeviceError, match="is not the description of a build"):
        read_description(tmp_path / "accel.json", BUILD)


def test_another_build_is_named(tmp_path):
    (tmp_path / "accel.json").write_text(json.dumps(CONTENT))
    with pytest.raises(DeviceError, match="the bitstream's name is 'sim-tiny', but board kv260 has 'kv260'"):
        read_description(tmp_path / "accel.json", BUILDS["kv260"])
