"""The PLL's Verilog: dividers that give the clock, the second output as late as asked, others refused."""

import re

import pytest

from hw.place.pll import PLL, pll_verilog
from models.errors import BuildError


def settings(verilog: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"\.(\w+_DIV|\w+_[CF]PHASE)\((\d+)\)", verilog)}


@pytest.mark.parametrize("mhz, phase", [(60, 252), (50, 180)])
def test_the_clock_and_the_phase_are_exact(mhz, phase):
    verilog = pll_verilog(25, mhz, phase)
    found = settings(verilog)
    assert f"module {PLL}" in verilog
    assert 25 / found["CLKI_DIV"] * found["CLKFB_DIV"] == mhz and found["CLKOS_DIV"] == found["CLKOP_DIV"]
    assert 400 <= mhz * found["CLKOP_DIV"] <= 800  # of the VCO
    eighths = 8 * (found["CLKOS_CPHASE"] - found["CLKOP_CPHASE"]) + found["CLKOS_FPHASE"] - found["CLKOP_FPHASE"]
    assert eighths * 45 / found["CLKOP_DIV"] == phase


def test_a_clock_that_no_dividers_give_is_refused():
    with pytest.raises(BuildError, match="^the ECP5's PLL makes no 61 MHz of 25: it makes 60.7143$"):
        pll_verilog(25, 61, 252)
