"""The SDRAM chip's model by hand: what it reads and writes, and each rule broken once."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sim.sdram.chip import FOLDER, RULES, ChipTimes, SdramChip

PERIOD = 10_000  # ps: 100 MHz
COMMANDS = {"mode": 0b000, "refresh": 0b001, "precharge": 0b010, "activate": 0b011, "write": 0b100, "read": 0b101,
            "stop": 0b110, "nop": 0b111}
ALL = 1 << 10


class Driver:
    """Commands by hand, each followed by cycles of NOP; what the chip drives behind each edge in `words`."""

    def __init__(self, times: ChipTimes | None = None, *, period: int = PERIOD) -> None:
        self.chip, self.now, self.period, self.words = SdramChip(times), 0, period, []

    def give(self, name: str, cycles: int = 1, **pins) -> Driver:
        code = COMMANDS[name]
        given = {"ras_n": code >> 2, "cas_n": code >> 1 & 1, "we_n": code & 1} | pins
        for _ in range(cycles):
            self.now += self.period
            self.words.append(self.chip.edge(self.now, **given))
            given = {"dqm": pins.get("dqm", 0)}
        return self

    def start(self, *, cas: int = 2, refreshes: int = 8, length: int = 3) -> Driver:
        self.now = 200_000_000 - self.period
        self.give("nop", dqm=3).give("precharge", 3, a=ALL, dqm=3)
        for _ in range(refreshes):
            self.give("refresh", 7)
        return self.give("mode", 2, a=cas << 4 | length)

    def write(self, words, *, column: int = 0, **pins) -> Driver:
        self.give("write", a=column, dq=words[0], oe=1, **pins)
        for word in words[1:]:
            self.give("nop", dq=word, oe=1, **pins)
        return self

    @property
    def findings(self) -> dict[str, int]:
        return self.chip.findings


def test_the_rules_are_the_headers():
    text = (FOLDER / "rules.h").read_text()
    names = re.findall(r"^    (\w+),", text[:text.index("COUNT")], re.MULTILINE)
    assert tuple(names) == RULES


@pytest.mark.parametrize("cas", [2, 3])
def test_what_is_written_is_read_after_the_latency(cas):
    words = [0x1100 + n for n in range(8)]
    driver = Driver().start(cas=cas).give("activate", 3, a=5, ba=2).write(words, ba=2, column=16).give("nop", 2)
    driver.words.clear()
    driver.give("read", 12, ba=2, a=20)  # from the middle of eight on: sequential bursts wrap
    assert driver.words == [None] * (cas - 1) + words[4:] + words[:4] + [None] * (5 - cas)
    place = ((5 * 4 + 2) * 512 + 16) * 2
    np.testing.assert_array_equal(driver.chip.memory[place:place + 16].view("<u2"), words)
    assert not driver.findings and driver.chip.counts.reads == driver.chip.counts.writes == 1


def test_masks_keep_bytes():
    driver = Driver().start().give("activate", 3).write([0xFFFF] * 8)
    driver.write([0x1234] * 8, dqm=1).give("nop", 2)
    assert driver.chip.memory[:16].tolist() == [0xFF, 0x12] * 8 and not driver.findings
    driver.words.clear()
    driver.give("read").give("nop", dqm=3).give("nop", 9)  # two edges before the word that it hides
    assert driver.words == [None, 0x12FF, None, *[0x12FF] * 6, None, None]


def test_a_burst_is_cut_by_the_next_and_by_precharge():
    driver = Driver().start().give("activate", 6).write(list(range(1, 9))).write([9] * 8, column=8).give("nop", 3)
    driver.words.clear()
    driver.give("read", 3).give("read", 4, a=8).give("precharge", 4, a=0)
    assert driver.words == [None, 1, 2, 3, 9, 9, 9, 9, None, None, None] and not driver.findings


def opened() -> Driver:
    return Driver().start().give("activate", 6)


BROKEN = {
    "power_up": lambda: Driver().give("precharge", dqm=3),
    "order": lambda: Driver().start(refreshes=7).give("activate"),
    "mode": lambda: Driver(ChipTimes(t_rfc=63_000), period=9_900).start(cas=2),
    "clock_enable": lambda: Driver().start().give("nop", cke=0),
    "t_mrd": lambda: Driver().start().give("mode", a=0x23).give("activate"),
    "t_rfc": lambda: Driver().start().give("refresh", 6).give("activate"),
    "t_rc": lambda: Driver(ChipTimes(t_rc=90_000)).start().give("activate", 5).give("precharge", 3).give("activate"),
    "t_ras": lambda: Driver().start().give("activate", 4).give("precharge"),
    "t_ras_max": lambda: Driver().start().give("activate", 10_001).give("precharge"),
    "t_rp": lambda: opened().give("precharge", 2).give("activate"),
    "t_rcd": lambda: Driver().start().give("activate", 2).give("read", 9),
    "t_rrd": lambda: Driver().start().give("activate").give("activate", ba=1),
    "t_wr": lambda: opened().write([0] * 8).give("precharge"),
    "open_bank": lambda: opened().give("refresh"),
    "closed_bank": lambda: opened().give("read", 12, ba=1),
    "auto_precharge": lambda: opened().give("read", 12, a=ALL),
    "unknown_command": lambda: opened().give("stop"),
    "bus_conflict": lambda: opened().give("read", 5).give("nop", oe=1),
    "bus_turn": lambda: opened().give("read", 10).write([0] * 8),
    "bus_floats": lambda: opened().give("write").give("write", dqm=3),
    "refresh": lambda: Driver(ChipTimes(window=50_000_000)).start().give("nop", 6_000).give("activate", a=9),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_seen_to_be_broken(rule):
    findings = BROKEN[rule]().findings
    assert list(findings) == [rule], findings


KEPT = {
    "t_rfc": lambda: Driver().start().give("refresh", 7).give("activate"),
    "t_rc": lambda: Driver(ChipTimes(t_rc=90_000)).start().give("activate", 6).give("precharge", 3).give("activate"),
    "t_ras": lambda: Driver().start().give("activate", 5).give("precharge"),
    "t_ras_max": lambda: Driver().start().give("activate", 9_999).give("precharge"),
    "t_rp": lambda: opened().give("precharge", 3).give("activate"),
    "t_rcd": lambda: Driver().start().give("activate", 3).give("read", 9),
    "t_rrd": lambda: Driver().start().give("activate", 2).give("activate", ba=1),
    "t_wr": lambda: opened().write([0] * 8).give("nop").give("precharge"),
    "bus_turn": lambda: opened().give("read", 11).write([0] * 8),
    "mode": lambda: Driver(ChipTimes(t_rfc=63_000), period=9_900).start(cas=3),
    "refresh": lambda: Driver(ChipTimes(window=70_000_000)).start().give("nop", 6_000).give("activate", a=9),
}


@pytest.mark.parametrize("rule", KEPT)
def test_a_cycle_later_it_is_kept(rule):
    assert not KEPT[rule]().findings


@pytest.mark.parametrize("forgets", [False, True])
def test_rows_that_are_not_refreshed_may_be_forgotten(forgets):
    driver = Driver(ChipTimes(window=300_000_000, forgets=forgets)).start()
    content = driver.chip.memory.reshape(8192, 4, 1024)
    content[:16] = 7
    driver.give("nop", (499_900_000 - driver.now) // PERIOD)  # rows are fresh at 200 us, eight from 200.04 us on
    driver.give("activate", 6, a=7).give("precharge", 4)
    assert not driver.findings
    driver.give("activate", a=9)
    assert driver.findings == {"refresh": 1}
    assert (content[9, 0] == 7).all() == (not forgets) and (np.delete(content[:16], 9, 0) == 7).all()
    driver.chip.check_rows()
    assert driver.findings["refresh"] == 1 + 4 * (8192 - 8) - 1
