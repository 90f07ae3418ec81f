"""A bitstream's place, and the build that a board's runtime takes where none is named."""

import json
from pathlib import Path

import pytest

from host import bitstream
from host.bitstream import BITSTREAM_VARIABLE, find_bitstream, find_description
from host.command_line import add_model_options, open_model
from hw.boards.chosen_build import with_settings
from hw.boards.registry import BUILDS
from models.command import CommandParser
from models.errors import BuildError, DeviceError


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name in ("tritloom.bit", "tritloom.hwh", "accel.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setenv(BITSTREAM_VARIABLE, str(tmp_path / "tritloom.bit"))
    return tmp_path


def test_what_is_missing_is_named(files, monkeypatch):
    assert find_bitstream() == files / "tritloom.bit"
    (files / "accel.json").unlink()
    with pytest.raises(DeviceError, match="accel.json is missing: it belongs beside tritloom.bit"):
        find_bitstream()
    monkeypatch.delenv(BITSTREAM_VARIABLE)
    monkeypatch.chdir(files)
    (files / "tritloom.bit").unlink()
    with pytest.raises(DeviceError, match="no bitstream tritloom.bit"):
        find_bitstream()


def test_a_description_alone_is_enough_where_the_bitstream_is_on_the_board(files, tmp_path, monkeypatch):
    (files / "tritloom.bit").unlink()
    assert find_description() == files / "accel.json"
    empty, installed = tmp_path / "empty", tmp_path / "installed"
    for folder in (empty, installed):
        folder.mkdir()
    monkeypatch.setattr(bitstream, "INSTALLED", installed)
    monkeypatch.setenv(BITSTREAM_VARIABLE, str(empty / "tritloom.bit"))
    with pytest.raises(DeviceError, match="no accel.json beside .*empty/tritloom.bit: name with --build the one"):
        find_description()
    monkeypatch.delenv(BITSTREAM_VARIABLE)
    monkeypatch.chdir(empty)
    with pytest.raises(DeviceError, match="no accel.json here: name with --build"):
        find_description()
    (installed / "accel.json").write_text("{}")
    assert find_description() == installed / "accel.json"
    (empty / "accel.json").write_text("{}")
    assert find_description() == Path("accel.json")


def test_an_installed_bitstream_is_the_last_choice(files, tmp_path, monkeypatch):
    installed = tmp_path / "installed"
    installed.mkdir()
    for name in ("tritloom.bit", "tritloom.hwh", "accel.json"):
        (installed / name).write_text("{}")
    monkeypatch.setattr(bitstream, "INSTALLED", installed)
    assert find_bitstream() == files / "tritloom.bit"
    monkeypatch.delenv(BITSTREAM_VARIABLE)
    monkeypatch.chdir(installed.parent / "installed")
    assert find_bitstream() == Path("tritloom.bit")
    monkeypatch.chdir("/")
    assert find_bitstream() == installed / "tritloom.bit"


def test_a_board_needs_no_flag_but_its_device(files):
    parser = CommandParser("host.generate")
    add_model_options(parser)
    options = parser.parse_args(["--device", "pynq", "--context", "64"])
    build = with_settings(BUILDS["kv260"], ["context_max=64"])
    (files / "accel.json").write_text(json.dumps({"parameters": build.to_json()}))
    assert open_model(options).config.context == 64
    small = with_settings(build, ["hidden_max=64"])
    (files / "accel.json").write_text(json.dumps({"parameters": small.to_json()}))
    with pytest.raises(BuildError, match="hidden size of 256 exceeds the 64 of build kv260"):
        open_model(options)
