"""mod2imp's output to a text that splits into books: headings, spaces around words, what is left out."""

import io

import pytest

from models.errors import OptionError
from scripts import read_bible_module

MODULE = """$$$[ Module Heading ]

$$$Genesis 0:0
<div osisID="Gen" type="book"/> <milestone n="Génesis" type="x-usfm-h"/> <title level="1">Génesis</title>
$$$Genesis 1:0
<chapter n="1" osisID="Gen.1"/>
$$$Genesis 1:1
<w lemma="strong:H7225">EN el principio</w> <w lemma="strong:H1254">crió</w>.
$$$Genesis 2:1
<w>llamado</w><transChange type="added">á ser</transChange><w>apóstol</w><transChange type="added">hoy</transChange>,
y fué.
$$$I Samuel 0:0
<milestone n="1 Samuel" type="x-usfm-h"/>
$$$I Samuel 1:1
Hubo un hombre.
"""


def test_chapters_have_headings_and_words_stay_apart():
    assert list(read_bible_module.verses(io.StringIO(MODULE))) == [
        "Génesis 1", "", "EN el principio crió.",
        "", "Génesis 2", "", "llamado á ser apóstol hoy,", "y fué.",
        "", "1 Samuel 1", "", "Hubo un hombre."]


def test_the_command_writes_a_file_and_refuses_what_has_no_verses(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(MODULE))
    read_bible_module.main(["-o", str(tmp_path / "text.txt")])
    assert (tmp_path / "text.txt").read_text(encoding="utf-8").endswith("\n1 Samuel 1\n\nHubo un hombre.\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("no module"))
    with pytest.raises(OptionError, match="no verses"):
        read_bible_module.main(["-o", str(tmp_path / "other.txt")])
