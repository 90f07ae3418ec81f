"""An SDR SDRAM: its geometry and its times, as a board's data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SdramChip"]


@dataclass(frozen=True, kw_only=True)
class SdramChip:
    """One chip, single data rate (JEDEC 21-C). Times in ns, those of the slowest chip that a board may carry.

    bits: of a word, on the data pins. banks, rows, columns: how many. cas_latency: cycles from READ to its data, right
    for periods from `period` on. rcd: ACTIVATE to READ or WRITE. rp: PRECHARGE to the next command. ras: ACTIVATE to
    PRECHARGE, at least. rc: ACTIVATE to ACTIVATE of the same bank. rrd: of another. rfc: REFRESH to the next command.
    wr: the last word written to PRECHARGE. mrd_cycles: of LOAD MODE. power_up: with a clock before the first command.
    refresh: from one REFRESH to the next, on average, at most.
    """

    bits: int
    banks: int
    rows: int
    columns: int
    cas_latency: int
    period: float
    rcd: float
    rp: float
    ras: float
    rc: float
    rrd: float
    rfc: float
    wr: float
    mrd_cycles: int
    power_up: float
    refresh: float

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.banks * self.rows * self.columns * self.bits // 8
