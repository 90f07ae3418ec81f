"""Options of waves: what they come to, and what is refused before any work."""

import argparse

import pytest

from host.waves_options import add_waves_options, chosen_waves
from models.errors import OptionError


def options(*arguments, device="rtl"):
    parser = argparse.ArgumentParser()
    add_waves_options(parser)
    return argparse.Namespace(**vars(parser.parse_args(arguments)), device=device)


def test_waves_as_asked_for(tmp_path):
    waves = chosen_waves(options("--waves", str(tmp_path / "a.fst"), "--waves-from", "7", "--waves-cycles", "5",
                                 "--waves-scope", "linear"))
    assert (waves.first, waves.cycles, waves.end, waves.scope) == (7, 5, 12, "linear")
    whole = chosen_waves(options("--waves", str(tmp_path / "a.fst")))
    assert (whole.first, whole.end, whole.scope) == (0, None, "")


def test_none_unless_asked_for():
    assert chosen_waves(options(device="emulator")) is None
    assert chosen_waves(argparse.Namespace()) is None


def test_what_belongs_together(tmp_path):
    with pytest.raises(OptionError, match="--waves-from belongs to --waves"):
        chosen_waves(options("--waves-from", "7"))
    with pytest.raises(OptionError, match="--waves belongs to --device rtl"):
        chosen_waves(options("--waves", str(tmp_path / "a.fst"), device="emulator"))
