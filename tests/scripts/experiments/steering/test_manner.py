"""Held-out books and the held-out novel never reach the text that is fitted on."""

import pytest

from models.errors import OptionError
from scripts.experiments.steering.manner import write_manners


def test_held_out_books_never_reach_training(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    books = ("Ruth", "Romans", "1 Timothy", "2 Timothy")
    (data / "kjv.txt").write_text("".join(f"{book} 1\n\nverse of {book}\n\n{book} 2\n\nmore\n\n" for book in books))
    (data / "austen_emma.txt").write_text("Emma, handsome")
    (data / "austen_northanger_abbey.txt").write_text("Catherine")
    texts = [path.read_text() for path in write_manners(data, tmp_path / "out")]
    assert texts[1] == "Emma, handsome" and texts[3] == "Catherine"
    assert texts[0].split() == "verse of Ruth more verse of 2 Timothy more".split()
    assert texts[2].split() == "verse of Romans more verse of 1 Timothy more".split()
    (data / "austen_northanger_abbey.txt").unlink()
    with pytest.raises(OptionError, match="lacks austen_northanger_abbey"):
        write_manners(data, tmp_path / "out")
