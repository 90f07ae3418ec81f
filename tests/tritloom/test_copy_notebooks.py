"""`tritloom notebooks` puts all four into a folder and overwrites nothing."""

import json

import pytest

from models.errors import OptionError
from tritloom.copy_notebooks import NOTEBOOKS, main


def test_all_are_copied_and_none_overwritten(tmp_path, capsys):
    main([str(tmp_path / "new" / "folder")])
    copies = sorted((tmp_path / "new" / "folder").iterdir())
    assert [copy.name for copy in copies] == [book.name for book in sorted(NOTEBOOKS.glob("*.ipynb"))]
    assert all(json.loads(copy.read_text("utf-8"))["nbformat"] == 4 for copy in copies)
    assert "4 notebooks in" in capsys.readouterr().out
    copies[1].write_text("mine")
    with pytest.raises(OptionError, match="has 1_first_text.ipynb already: give another folder"):
        main([str(copies[1].parent)])
    assert copies[1].read_text() == "mine"


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot write to"):
        main([str(tmp_path / "file" / "below")])
