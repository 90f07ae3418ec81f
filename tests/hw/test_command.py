"""Layouts of commands follow the table of operations."""

from dataclasses import replace

import pytest
from amaranth.hdl import Shape, Signal, signed, unsigned
from amaranth.lib import data

from hw.boards.registry import BUILDS
from hw.command import COMMAND_BITS, command_layout, field_shapes, shared_field
from hw.vector.row_control import RowControl
from models.machine.descriptor import OPCODES, Opcode


def test_shapes_are_those_of_the_table():
    shapes = field_shapes(Opcode.NORM, "rows", "unit_exponent", "tap", "gain")
    assert shapes == {"rows": unsigned(8), "unit_exponent": signed(8), "tap": unsigned(1), "gain": unsigned(32)}


@pytest.mark.parametrize("opcode", [Opcode.QUERY, Opcode.NORM])
def test_a_shared_field_is_that_of_each_operation(opcode):
    command = Signal(COMMAND_BITS)
    field = shared_field(command, (Opcode.QUERY, Opcode.NORM), "count", "dim")
    own = data.View(command_layout(opcode), command)["dim" if opcode == Opcode.QUERY else "count"]
    assert (field.start, field.stop) == (own.start, own.stop)


def test_signs_are_kept():
    field = shared_field(Signal(COMMAND_BITS), (Opcode.RESIDUAL,), "fraction_bits")
    assert Shape.cast(field.shape()) == signed(8)


def test_a_field_that_lies_elsewhere_is_not_shared():
    with pytest.raises(ValueError, match="^accumulator is not shared: .* are .104, 16, False. in RESIDUAL, .96, 16, "):
        shared_field(Signal(COMMAND_BITS), (Opcode.RESIDUAL, Opcode.SELECT), "accumulator")
    with pytest.raises(ValueError, match="^token is not shared: .*None in QUERY$"):
        shared_field(Signal(COMMAND_BITS), (Opcode.KEY, Opcode.QUERY), "token")


@pytest.mark.parametrize(("opcode", "name"), [
    (Opcode.SELECT, "count"), (Opcode.NORM, "count"), (Opcode.STORE, "count"), (Opcode.QUERY, "dim"),
    (Opcode.QUERY, "heads"), (Opcode.QUERY, "accumulator"), (Opcode.VALUE, "scale"), (Opcode.VALUE, "token"),
    (Opcode.RESIDUAL, "first_row")])
def test_the_vector_engine_tells_where_a_field_moves_that_it_takes_for_shared(monkeypatch, opcode, name):
    operation = OPCODES[opcode]
    moved = tuple(replace(f, offset=f.offset + 1) if f.name == name else f for f in operation.fields)
    monkeypatch.setitem(OPCODES, opcode, replace(operation, fields=moved))
    with pytest.raises(ValueError, match="is not shared"):
        RowControl(BUILDS["sim-tiny"]).elaborate(None)
