"""What is refused of waves before a simulation is built."""

import pytest

from host.devices.waves import Waves
from models.errors import OptionError


@pytest.mark.parametrize("name, settings, message", [
    ("core.vcd", {}, "waves are written as .fst: "), ("none/core.fst", {}, "cannot be written"),
    ("core.fst", {"first": -1}, "from 0 on, got -1"), ("core.fst", {"cycles": 0}, "at least 1 cycle, got 0")])
def test_what_makes_no_sense_is_refused(name, settings, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        Waves(tmp_path / name, **settings)
    assert not list(tmp_path.iterdir())
