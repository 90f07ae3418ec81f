"""SDRAM scheduler: no command comes too early, none finds its bank in the wrong state, none is missing."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Signal, Value

from hw.sdram.pins import ALL_BANKS, BEAT_WORDS, Command
from hw.sdram.scheduler import Scheduler
from hw.sdram.timing import SdramCycles
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held

__all__ = ["PROOFS", "scheduler"]

_CYCLES = SdramCycles(rcd=2, rp=2, ras=5, rfc=5, rrd=2, wr=2, mrd=2, cas=2, refresh=24, power_up=1)
"""Of 60 MHz but for `ras`, so that more than the columns decide on a PRECHARGE, and for the long intervals."""
_REFRESHES = 2
_FAR = 31
_ALWAYS = Const(1)


def scheduler(kind: type[Scheduler] = Scheduler, cycles: SdramCycles = _CYCLES):
    """The chip's rules, seen at `command` for one bank, any. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(cycles, cycles.cas, _REFRESHES), resets=False)
        c.assume(held(c, u.i))
        bank = c.constant(2, "bank")
        command = u.command
        own = command.bank == bank

        def gives(code: Command) -> Value:
            return command.code == code

        def since(event: Value, name: str) -> Signal:
            """Cycles since, _FAR at most and where there was none."""
            count = Signal(range(_FAR + 1), init=_FAR, name=f"since_{name}")
            c.m.d.sync += count.eq(Mux(event, 1, Mux(count == _FAR, _FAR, count + 1)))
            return count

        all_banks = (command.address & ALL_BANKS) != 0
        opens, closes = gives(Command.ACTIVATE) & own, gives(Command.PRECHARGE) & (own | all_banks)
        reads, writes = gives(Command.READ), gives(Command.WRITE)
        opened, row = Signal(), Signal.like(command.address)
        with c.m.If(opens):
            c.m.d.sync += [opened.eq(1), row.eq(command.address)]
        with c.m.Elif(closes):
            c.m.d.sync += opened.eq(0)
        activated, precharged = since(opens, "activate"), since(closes & opened, "precharge")
        refreshed, loaded = since(gives(Command.REFRESH), "refresh"), since(gives(Command.LOAD_MODE), "mode")
        another = since(gives(Command.ACTIVATE), "any_activate")
        read, wrote = since(reads, "read"), since(writes, "write")
        read_here, wrote_here = since(reads & own, "own_read"), since(writes & own, "own_write")

        def least(name: str, code: Value, *distances: tuple[Value, int], also: Value = _ALWAYS) -> None:
            kept = also
            for count, cycles_ in distances:
                kept = kept & (count >= cycles_)
            c.claim(name, ~code | kept)

        columns, ends = (reads | writes) & own, closes & opened
        least("ACTIVATE: the bank is closed", opens, also=~opened)
        least("ACTIVATE: t_rp over", opens, (precharged, cycles.rp))
        least("ACTIVATE: t_rrd over", opens, (another, cycles.rrd))
        least("ACTIVATE: t_rc over", opens, (activated, cycles.ras + cycles.rp))
        least("READ and WRITE: a row is open", columns, also=opened)
        least("READ and WRITE: t_rcd over", columns, (activated, cycles.rcd))
        least("PRECHARGE: t_ras over", ends, (activated, cycles.ras))
        least("PRECHARGE: words read", ends, (read_here, BEAT_WORDS))
        least("PRECHARGE: words written, t_wr over", ends, (wrote_here, BEAT_WORDS - 1 + cycles.wr))
        least("AUTO REFRESH and LOAD MODE: bank closed, t_rp over", gives(Command.REFRESH) | gives(Command.LOAD_MODE),
              (precharged, cycles.rp), also=~opened)
        least("t_rfc and t_mrd over", ~gives(Command.NOP), (refreshed, cycles.rfc), (loaded, cycles.mrd))
        least("words do not meet, and the bus turns", reads | writes, (read, BEAT_WORDS), (wrote, BEAT_WORDS),
              also=(~writes | (read >= cycles.cas + BEAT_WORDS + 1)) & (~reads | (wrote > BEAT_WORDS)))
        c.claim("no command that is none", command.code != 0b110)
        c.reach("a row is changed and read", reads & own & (precharged != _FAR), bound=90)
        c.reach("a refresh between reads", reads & (refreshed < 12), bound=90)
    return make


PROOFS = (Proof("SDRAM scheduler", scheduler()),)
