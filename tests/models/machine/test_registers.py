from pathlib import Path

import pytest

from models.machine.registers import REGISTERS, register, register_table

ROOT = Path(__file__).parents[3]


def test_offsets_are_words_and_unique():
    offsets = [r.offset for r in REGISTERS]
    assert len(set(offsets)) == len(offsets)
    assert all(offset % 4 == 0 and offset < 4096 for offset in offsets)


def test_registers_are_found_by_name():
    assert register("POSITION").access == "rw"
    with pytest.raises(StopIteration):
        register("NOTHING")


def test_the_documented_map_is_the_generated_one():
    assert (ROOT / "docs/registers.md").read_text() == register_table()
