"""The registers that hold the widths of the processor's memory ports."""

import pytest

from host.board.port_width import WIDTH_REGISTERS, wrong_widths


def test_each_port_has_a_register_for_each_way():
    assert {name: hex(address) for name, address in WIDTH_REGISTERS.items()} == {
        ("HP0", "read"): "0xfd380000", ("HP0", "write"): "0xfd380014", ("HP1", "read"): "0xfd390000",
        ("HP1", "write"): "0xfd390014", ("HP2", "read"): "0xfd3a0000", ("HP2", "write"): "0xfd3a0014",
        ("HP3", "read"): "0xfd3b0000", ("HP3", "write"): "0xfd3b0014"}


def test_the_field_alone_counts():
    assert wrong_widths(lambda address: 0xFFFF_FFF0, 4, {}) == []


@pytest.mark.parametrize(("field", "bits"), [(1, 64), (2, 32), (3, 0)])
def test_wrong_ports_are_named(field, bits):
    def read(address):
        return field if address == WIDTH_REGISTERS["HP2", "write"] else 0

    assert wrong_widths(read, 4, {}) == [f"port HP2 has {bits} bits to write, and the design 128"]
    assert wrong_widths(read, 2, {}) == []


def test_the_design_says_what_is_right():
    assert wrong_widths(lambda address: 1, 1, {"C_SAXIGP2_DATA_WIDTH": "64"}) == []
    assert len(wrong_widths(lambda address: 0, 1, {"C_SAXIGP2_DATA_WIDTH": "64"})) == 2
