"""The table of operations as docs/program.md shows it."""

from __future__ import annotations

from models.machine.descriptor import HEADER, OPCODES, Field
from models.markdown import markdown_table

__all__ = ["operation_table"]

_WORD = 32


def operation_table() -> str:
    """Markdown: a row for each operation, or for several whose fields are alike.

    Of each field its bits (s: signed), the word and bit that it starts at, and its unit.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for op in OPCODES.values():
        alike.setdefault((f"{op.engine.name} ({op.engine:d})", _described(op.fields)), []).append(
            f"{op.opcode.name} ({op.opcode:d})")
    return markdown_table(["operation: engine", "fields"], [["every one", _described(HEADER)], *(
        [f"{', '.join(names)}: {engine}", fields] for (engine, fields), names in alike.items())])


def _described(fields: tuple[Field, ...]) -> str:
    return ", ".join(
        f"`{field.name}` {'s' * field.signed}{field.width} at {field.offset // _WORD}.{field.offset % _WORD} "
        f"({_unit(field)})" for field in fields)


def _unit(field: Field) -> str:
    """The unit, with the values' names where they are an enumeration's that the table does not name itself."""
    if isinstance(field.unit, str):
        return field.unit
    if field in HEADER:
        return field.unit.__name__.lower()
    return ", ".join(f"{value:d} {value.name}" for value in field.unit)
