"""Vivado's .bit file as the kernel's FPGA manager takes it, beside PYNQ's own conversion."""

import numpy as np
import pytest

from hw.bundle.firmware import firmware
from models.errors import BuildError
from tests.hw.bundle.bit_files import DATA, bit_file


def test_the_words_are_turned_round():
    found = firmware(bit_file())
    assert len(found) == len(DATA)
    assert found[20:24] == bytes.fromhex("665599aa")  # the word by which configuration begins, lowest byte first
    assert np.array_equal(np.frombuffer(found, "<u4"), np.frombuffer(DATA, ">u4"))


def test_pynq_makes_the_same(tmp_path):
    embedded = pytest.importorskip("pynq.pl_server.embedded_device", reason="pip install 'tritloom[board]'")
    path = tmp_path / "tritloom.bit"
    path.write_bytes(bit_file())
    assert bytes(embedded.bit2bin(path.read_bytes())) == firmware(path.read_bytes())


@pytest.mark.parametrize("bit, message", [
    (b"", "does not begin"), (b"the simulated board looks at no bitstream", "does not begin"),
    (bit_file()[:-1], "damaged or cut short"), (bit_file()[:40], "damaged or cut short"),
    (bit_file(b""), "damaged or cut short"), (bit_file(b"12345"), "damaged or cut short"),
    (bit_file() + bytes(4), "damaged or cut short")])
def test_what_is_no_bitstream(bit, message):
    with pytest.raises(BuildError, match=message):
        firmware(bit)
