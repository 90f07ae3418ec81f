"""Nanoseconds in cycles: never fewer than the chip wants, and no more than one above."""

from __future__ import annotations

import pytest

from hw.sdram.timing import ULX3S_CHIPS
from sim.sdram.chip import ChipTimes


@pytest.mark.parametrize("clock_mhz", range(20, 144))
def test_cycles_cover_the_nanoseconds(clock_mhz):
    cycles, period = ULX3S_CHIPS.cycles(clock_mhz), 1e3 / clock_mhz
    for count, ns, least in ((cycles.rcd, ULX3S_CHIPS.t_rcd, 1), (cycles.rp, ULX3S_CHIPS.t_rp, 1),
                             (cycles.rfc, ULX3S_CHIPS.t_rfc, 1), (cycles.rrd, ULX3S_CHIPS.t_rrd, 2),
                             (cycles.wr, ULX3S_CHIPS.t_wr, 2)):
        assert count * period >= ns - 1e-6 and (count - 1) * period < max(ns, least * period)
    assert cycles.ras * period >= ULX3S_CHIPS.t_ras - 1e-6
    assert (cycles.ras + cycles.rp) * period >= ULX3S_CHIPS.t_rc - 1e-6
    assert cycles.refresh * period <= 7800 + 1e-6 < (cycles.refresh + 1) * period
    assert cycles.refresh * cycles.power_up * period >= 200_000 - 1e-6
    assert cycles.cas == (2 if clock_mhz <= 100 else 3)


def test_no_value_is_below_the_chips():
    """The model has its times from the datasheets by itself."""
    chip = ChipTimes()
    for name in ("t_rcd", "t_rp", "t_ras", "t_rc", "t_rfc", "t_rrd", "t_wr", "cas_2", "power_up"):
        assert getattr(ULX3S_CHIPS, name) * 1e3 >= getattr(chip, name), name
    assert ULX3S_CHIPS.mrd >= chip.mrd_cycles and ULX3S_CHIPS.refreshes >= chip.refreshes
    # 8,192 rows in 64 ms, and all of them once late by the longest jobs before a refresh
    assert ULX3S_CHIPS.refresh * 8192 * 1e3 + 5_000_000 <= chip.window
