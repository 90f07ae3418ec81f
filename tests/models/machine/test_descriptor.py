import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, Engine, Opcode, pack, unpack


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # drawing is slow on a busy machine alone
def test_fields_survive(data):
    opcode = data.draw(st.sampled_from(list(Opcode)))
    values = {}
    for field in OPCODES[opcode].fields:
        low = -(1 << (field.width - 1)) if field.signed else 0
        values[field.name] = data.draw(st.integers(low, low + (1 << field.width) - 1))
    wait, signal = data.draw(st.integers(0, 65535)), data.draw(st.integers(0, 65535))
    packed = pack(opcode, wait=wait, signal=signal, **values)
    assert len(packed) == DESCRIPTOR_BYTES
    found = unpack(packed)
    assert found._asdict() == {"engine": OPCODES[opcode].engine, "opcode": opcode, "wait": wait, "signal": signal,
                               **values}
    assert isinstance(found.opcode, Opcode) and found.packed() == packed
    assert unpack(found.packed(signal=signal ^ 1)) == found._replace(signal=signal ^ 1)


@pytest.mark.parametrize("opcode", list(Opcode))
def test_fields_do_not_overlap(opcode):
    taken = set()
    for field in HEADER + OPCODES[opcode].fields:
        bits = set(range(field.offset, field.offset + field.width))
        assert not taken & bits, field.name
        assert max(bits) < DESCRIPTOR_BYTES * 8
        taken |= bits


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match="missing or unknown fields .*'beats'"):
        pack(Opcode.STREAM, address=0)
    with pytest.raises(ValueError, match="beats = 4294967296 does not fit 32 bits"):
        pack(Opcode.STREAM, address=0, beats=1 << 32, padding=0, head=0, listed=0, row=0, row_beats=0)


def test_every_engine_has_an_operation():
    assert {op.engine for op in OPCODES.values()} == set(Engine)
