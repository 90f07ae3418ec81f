"""Which build options name: a board's, a described one, a changed one; what is refused in one line."""

import argparse
import json

import pytest

from hw.boards.chosen_build import (
    add_build_options,
    add_clock_option,
    asks_for_build,
    chosen_build,
    read_build,
    with_settings,
)
from hw.boards.registry import BUILDS, board_of
from hw.build import write_build
from models.errors import BuildError, OptionError

KV260 = BUILDS["kv260"]


def options(*arguments, **settings):
    parser = argparse.ArgumentParser()
    add_build_options(parser, **settings)
    add_clock_option(parser)
    return parser.parse_args(arguments)


def described(path, **changes):
    values = {name: value for name, value in (KV260.to_json() | changes).items() if value is not None}
    path.write_text(json.dumps({"parameters": values}))
    return path


def test_a_board_or_the_default():
    assert chosen_build(options()) == KV260 and not asks_for_build(options())
    assert chosen_build(options(), "sim-tiny") == BUILDS["sim-tiny"]
    assert chosen_build(options("--board", "sim-tiny")) == BUILDS["sim-tiny"]
    assert all(asks_for_build(options(*given)) for given in (
        ("--board", "x"), ("--build", "x"), ("--set", "rows=8")))


def test_a_build_as_hw_build_wrote_it(tmp_path):
    build = with_settings(KV260, ["rows=4", "top_k=16"])
    write_build(build, tmp_path, lambda build: ("module tritloom();", "0" * 64))
    found = chosen_build(options("--build", str(tmp_path / "accel.json")))
    assert found == build and board_of(found).name == "kv260"
    assert chosen_build(options("--build", str(tmp_path / "accel.json"), "--set", "rows=8")).rows == 8


def test_settings_change_the_build_and_nothing_else():
    build = chosen_build(options("--set", "rows=8", "--set", "top_k=16"))
    assert build.to_json() == KV260.to_json() | {"rows": 8, "top_k": 16}


def test_a_clock_that_the_board_has(tmp_path):
    assert KV260.clock_mhz == 250 and board_of(KV260).clocks == (250, 214, 187)
    for mhz in board_of(KV260).clocks:
        build = chosen_build(options("--clock", str(mhz)))
        assert build.to_json() == KV260.to_json() | {"clock_mhz": mhz}
    path = described(tmp_path / "accel.json", clock_mhz=187, rows=4)
    found = chosen_build(options("--build", str(path), "--clock", "214"))
    assert (found.clock_mhz, found.rows) == (214, 4)
    with pytest.raises(OptionError, match="board kv260 has no clock of 200 MHz: --clock is one of 250, 214, 187"):
        chosen_build(options("--clock", "200"))
    with pytest.raises(OptionError, match="board arty_z7 has no clock of 90 MHz: --clock is one of 100"):
        chosen_build(options("--board", "arty_z7", "--clock", "90"))


@pytest.mark.parametrize("setting, message", [
    ("name=1", "sets no parameter"), ("rows", "sets no parameter"), ("rows=3", "rows must be a power of two, got 3")])
def test_settings_that_are_none(setting, message):
    with pytest.raises(OptionError, match=message):
        chosen_build(options("--set", setting))


@pytest.mark.parametrize("changes, message", [
    ({"rows": None}, "the parameter rows of the build is missing"), ({"colour": 3}, "'colour' is no parameter"),
    ({"rows": "8"}, "the build's rows is '8'"), ({"rows": True}, "the build's rows is True"),
    ({"hidden_max": -4}, "the build's hidden_max is -4"), ({"ports": 5}, "ports must be 1 to 4, got 5"),
    ({"name": 7}, "the build's name is 7"), ({"hidden_max": 10**12}, "hidden_max is 10000")])
def test_a_damaged_description_is_named(changes, message, tmp_path):
    path = described(tmp_path / "accel.json", **changes)
    with pytest.raises(BuildError, match=f"^{path}: .*{message}"):
        read_build(path)


def test_what_describes_no_build(tmp_path):
    with pytest.raises(BuildError, match="none.json: no such file"):
        read_build(tmp_path / "none.json")
    (tmp_path / "model.json").write_text('{"layers": 3}')
    with pytest.raises(BuildError, match="model.json: it has no parameters of a build"):
        read_build(tmp_path / "model.json")


def test_a_board_and_a_build_do_not_go_together(capsys):
    with pytest.raises(SystemExit):
        options("--board", "kv260", "--build", "accel.json")
    assert "not allowed with argument" in capsys.readouterr().err
