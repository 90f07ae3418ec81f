"""The notebooks run from start to end, in their fast form; a cell that fails is named."""

import nbformat
import pytest

from models.errors import BuildError
from scripts.record_notebooks import executed
from tritloom.copy_notebooks import NOTEBOOKS

BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))


def said(notebook):
    """What its cells print or return, as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_it_runs(book):
    notebook = executed(book, fast=True)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    found = {"1": "True", "2": "difference-of-means written", "3": "GMAC/s", "4": "no board"}[book.stem[0]]
    assert found in said(notebook) and "False" not in said(notebook)


def test_a_cell_that_fails_is_named(tmp_path):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(book, tmp_path / "wrong.ipynb")
    with pytest.raises(BuildError, match="wrong.ipynb: ZeroDivisionError: division by zero"):
        executed(tmp_path / "wrong.ipynb", fast=True)


def test_there_are_four():
    assert [book.stem for book in BOOKS] == ["1_first_text", "2_steer_and_plot", "3_where_cycles_go", "4_on_the_board"]
