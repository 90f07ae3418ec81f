"""What an SDR SDRAM chip asks for, in ns, and that in cycles of a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ULX3S_CHIPS", "SdramCycles", "SdramTiming"]


@dataclass(frozen=True, kw_only=True)
class SdramCycles:
    """The least distance of two commands in cycles, by JEDEC's names; `refresh` is the greatest.

    cas: of the mode register. rc: held by `ras` and `rp` together. power_up: of NOP before the first command, in
    refresh intervals.
    """

    rcd: int
    rp: int
    ras: int
    rfc: int
    rrd: int
    wr: int
    mrd: int
    cas: int
    refresh: int
    power_up: int


@dataclass(frozen=True, kw_only=True)
class SdramTiming:
    """ns, by JEDEC's names: `t_rcd` from ACTIVATE to READ or WRITE, and so on.

    refresh: mean distance of two AUTO REFRESH. power_up: with a stable clock, before the first command. cas_2: the
    shortest cycle at CAS latency 2. mrd: cycles behind LOAD MODE REGISTER, refreshes: AUTO REFRESH before it. W9825G6KH
    wants at least two cycles for t_rrd and t_wr.
    """

    t_rcd: float
    t_rp: float
    t_ras: float
    t_rc: float
    t_rfc: float
    t_rrd: float
    t_wr: float
    mrd: int = 2
    cas_2: float = 10.0
    refresh: float = 7800.0
    power_up: float = 200_000.0
    refreshes: int = 8

    def cycles(self, clock_mhz: float) -> SdramCycles:
        """At a clock of 20 to 143 MHz; `ValueError` for others."""
        if not 20 <= clock_mhz <= 143:
            raise ValueError(f"an SDRAM runs at 20 to 143 MHz here, not at {clock_mhz:g}")

        def least(ns: float) -> int:
            return math.ceil(ns * clock_mhz / 1e3 - 1e-9)

        refresh = math.floor(self.refresh * clock_mhz / 1e3 + 1e-9)
        rp = least(self.t_rp)
        return SdramCycles(
            rcd=least(self.t_rcd), rp=rp, ras=max(least(self.t_ras), least(self.t_rc) - rp), rfc=least(self.t_rfc),
            rrd=max(2, least(self.t_rrd)), wr=max(2, least(self.t_wr)), mrd=self.mrd,
            cas=2 if clock_mhz * self.cas_2 <= 1e3 else 3, refresh=refresh,
            power_up=math.ceil(least(self.power_up) / refresh))


ULX3S_CHIPS = SdramTiming(t_rcd=21, t_rp=21, t_ras=45, t_rc=67.5, t_rfc=70, t_rrd=15, t_wr=20)
"""Of IS42S16160G, W9825G6KH and AS4C16M16SA, of which a ULX3S has one, the slower of each value, up to grade 7."""
