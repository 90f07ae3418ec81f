"""The table of operations as docs/program.md shows it."""

from __future__ import annotations

from models.machine.descriptor import HEADER, OPCODES, Field

__all__ = ["operation_table"]

_WORD = 32


def operation_table() -> str:
    """Markdown: a row for each operation, or for several whose fields are alike.

    Of each field its bits (s: signed), the word and bit that it starts at, and its unit.
    """
    rows = ["| operation: engine | fields |", "| --- | --- |", f"| every one | {_described(HEADER)} |"]
    alike: dict[str, list[str]] = {}
    for op in OPCODES.values():
        alike.setdefault(f"{op.engine.name} ({op.engine:d}) | {_described(op.fields)} |", []).append(
            f"{op.opcode.name} ({op.opcode:d})")
    rows += [f"| {', '.join(names)}: {rest}" for rest, names in alike.items()]
    return "\n".join(rows)


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
