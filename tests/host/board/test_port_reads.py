"""How many reads a memory port has under way."""

import pytest

from host.board.port_reads import READ_REGISTERS, PortReads
from models.errors import OptionError


@pytest.fixture
def registers():
    """Of a processor as it boots; bits that are nobody's are set, to see that they stay."""
    return {0xFD38_0004: 0xA0007, 0xFD39_0004: 7, 0xFD3A_0004: 7, 0xFD3B_0004: 7}


def test_each_port_has_its_register(registers):
    assert set(READ_REGISTERS) == set(registers)
    assert PortReads(registers.get, registers.__setitem__, 4).get() == (8, 8, 8, 8)


@pytest.mark.parametrize("reads", [1, 16])
def test_they_are_set_and_put_back(registers, reads):
    ports, before = PortReads(registers.get, registers.__setitem__, 2), dict(registers)
    ports.set(4)
    ports.set(reads)
    assert ports.get() == (reads, reads)
    assert registers == before | {0xFD38_0004: 0xA0000 | reads - 1, 0xFD39_0004: reads - 1}
    ports.restore()
    assert registers == before
    registers[0xFD38_0004] = 3
    ports.restore()
    assert registers[0xFD38_0004] == 3  # by someone else, since


@pytest.mark.parametrize("reads", [0, 17, -1])
def test_what_the_field_has_not_is_refused(registers, reads):
    before = dict(registers)
    with pytest.raises(OptionError, match=f"^a memory port has 1 to 16 reads under way, not {reads}$"):
        PortReads(registers.get, registers.__setitem__, 4).set(reads)
    assert registers == before
