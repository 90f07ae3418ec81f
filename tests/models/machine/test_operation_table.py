from models.machine.operation_table import operation_table
from scripts.write_operations import DOCUMENT, END, START


def test_the_documented_operations_are_those_of_the_table():
    """If not: python -m scripts.write_operations."""
    assert f"{START}\n{operation_table()}\n{END}" in DOCUMENT.read_text(encoding="utf-8")
