"""The gearbox' units: by the table, steps are the beats' units in order, whatever the phase."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.boards.registry import BUILDS
from hw.linear.gearbox_units import GearboxUnits

BUILD = BUILDS["sim-tiny"]


@pytest.mark.parametrize(("outputs_per_step", "ports", "sizes"), [
    (4, 1, (16, 5, 6)), (4, 3, (48, 5, 6)), (8, 2, (32, 5, 12)), (20, 1, (80, 1, 6)), (12, 4, (64, 5, 18))])
def test_units_in_order(outputs_per_step, ports, sizes):
    units = GearboxUnits.of(replace(BUILD, outputs_per_step=outputs_per_step, ports=ports))
    assert tuple(units) == sizes
    taken, kept = list(units.taken()), list(units.kept())
    assert (len(taken), len(kept)) == (units.step, units.step - 1)
    held, steps = [], []
    for beat in range(4 * units.step):
        newest, phase = list(range(beat * units.beat, (beat + 1) * units.beat)), len(held)

        def unit(source, held=held, newest=newest):
            return (newest if source.newest else held)[source.index]

        if phase >= units.missing:
            steps += [unit(sources[phase]) for sources in taken]
        held = [unit(sources[phase]) for sources in kept if phase in sources]
        assert len(held) == (phase + units.beat) % units.step
    assert steps == list(range(4 * units.step * units.beat)) and not held


def test_a_step_is_no_less_than_a_beat():
    with pytest.raises(ValueError, match="a step of 3 outputs is less than a beat"):
        GearboxUnits.of(replace(BUILD, packing="rows", ports=2, outputs_per_step=3))
