"""Data path: words to the pins and from them, in step with the commands."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.pins import BEAT_WORDS, WORD_BITS
from hw.sdram.shapes import MASTER_BITS

__all__ = ["COMMAND_CYCLES", "DataPath"]

COMMAND_CYCLES = 3
"""From the decision for a command to its cycle on the pins: a word needs as many from its `take` on."""


class DataPath(wiring.Component):
    """For each column command (`given`, `writes`, `master`, `last` of its job) eight words.

    Those of a WRITE are taken from the `masters`' ports one cycle later and put on the pins COMMAND_CYCLES after the
    command was given, as the command is. Those of a READ are in `word` while `arrives` has their master's bit.
    masked: no byte is to be driven or written, as while the chip is initialised.
    """

    def __init__(self, masters: int, data_cycles: int) -> None:
        self._masters, self._data_cycles = masters, data_cycles
        super().__init__({
            "given": In(1), "writes": In(1), "master": In(MASTER_BITS), "last": In(1), "masked": In(1),
            "take": Out(masters), "written": Out(masters),
            "words": In(WORD_BITS).array(masters), "strobes": In(WORD_BITS // 8).array(masters),
            "word": Out(WORD_BITS), "arrives": Out(masters), "first": Out(1),
            "dq_o": Out(WORD_BITS), "dq_oe": Out(1), "dqm": Out(WORD_BITS // 8, init=3), "dq_i": In(WORD_BITS),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _eight(self, m: Module, name: str, start, master, owners: Signal) -> tuple[Signal, Signal]:
        """For eight cycles from the one after `start` the master's bit in `owners`; which of them it is, from 0 on."""
        number, active = Signal(range(BEAT_WORDS), name=f"{name}_number"), Signal(name=f"{name}_active")
        owner = Signal(self._masters, name=f"{name}_owner", reset_less=True)
        m.d.comb += owners.eq(Mux(active, owner, 0))
        with m.If(start):
            m.d.sync += [active.eq(1), number.eq(0), owner.eq(Cat(master == n for n in range(self._masters)))]
        with m.Elif(active):
            m.d.sync += [number.eq(number + 1), active.eq(number != BEAT_WORDS - 1)]
        return number, active

    def _write(self, m: Module) -> None:
        start = self.given & self.writes
        number, active = self._eight(m, "write", start, self.master, self.take)
        last = Signal(reset_less=True)
        with m.If(start):
            m.d.sync += last.eq(self.last)
        taken, driven = Signal(self._masters), Signal()
        word, strobes = Signal(WORD_BITS), Signal(WORD_BITS // 8)
        for n, (own_word, own_strobes) in enumerate(zip(self.words, self.strobes, strict=True)):
            with m.If(taken[n]):
                m.d.comb += [word.eq(own_word), strobes.eq(own_strobes)]
        m.d.sync += [
            self.written.eq(Mux(last & (number == BEAT_WORDS - 1), self.take, 0)),
            taken.eq(self.take), driven.eq(active),
            self.dq_o.eq(word), self.dq_oe.eq(driven),
            self.dqm.eq(Mux(self.masked, ~0, Mux(driven, ~strobes, 0))),
        ]

    def _read(self, m: Module) -> None:
        starts = Signal(COMMAND_CYCLES + self._data_cycles)
        masters = [self.master]
        for _ in range(len(starts)):
            masters.append(Signal(MASTER_BITS, name="master_read", reset_less=True))
            m.d.sync += masters[-1].eq(masters[-2])
        m.d.sync += [starts.eq(Cat(self.given & ~self.writes, starts)), self.word.eq(self.dq_i)]
        number, _ = self._eight(m, "read", starts[-1], masters[-1], self.arrives)
        m.d.comb += self.first.eq(number == 0)
