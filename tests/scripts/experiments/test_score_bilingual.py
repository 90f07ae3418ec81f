"""Books are cut out whole, and the page shows what was measured."""

import pytest

from models.errors import OptionError
from scripts.experiments.score_bilingual import Score, book, page

TEXT = "Judas 1\n\nJudas, siervo.\n\n1 Timoteo 1\n\nPablo, apóstol.\n\n1 Timoteo 2\n\nAmonesto.\n\nTito 1\n\nPablo.\n"


def test_a_book_is_cut_out_with_its_headings():
    assert book(TEXT, "1 Timoteo") == "1 Timoteo 1\n\nPablo, apóstol.\n\n1 Timoteo 2\n\nAmonesto.\n\n"
    assert book(TEXT, "Tito") == "Tito 1\n\nPablo.\n"
    with pytest.raises(OptionError, match="no book named Rut"):
        book(TEXT, "Rut")


def test_the_page_has_scores_and_samples():
    written = page([Score("Spanish", "Romanos", 49544, 15000, 2.3456)], [("Pablo, siervo", " de Dios")])
    assert "| *Romanos*, Spanish | 49,544 | 15,000 | 2.346 |" in written
    assert "```\nPablo, siervo de Dios\n```" in written
