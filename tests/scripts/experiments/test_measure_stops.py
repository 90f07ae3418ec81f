"""What stops cost: every site is measured, and its own session really stops."""

from dataclasses import replace

import pytest

from models.errors import OptionError
from models.synth import synthetic_model
from scripts.experiments.measure_stops import rates, table
from scripts.marked_text import rewrite_marked
from tests.families import FAMILIES


def test_every_site_is_measured():
    model = synthetic_model(replace(FAMILIES["llama plain"], context=20), seed=0)
    found = rates(model, 2, 3, threads=1)
    assert list(found)[:3] == ["none", "attention_norm", "qkv"] and len(found) == 11
    assert all(len(values) == 3 and min(values) > 0 for values in found.values())


def test_ratios_are_of_the_same_round():
    lines = table({"none": [10, 20, 40], "o": [5, 5, 20]}).splitlines()
    assert lines[2:] == ["| none | 20.0 | 1.00 |", "| o | 5.0 | 0.50 |"]


def test_a_table_goes_between_its_marks_and_nowhere_else(tmp_path):
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- a -->\nold\n<!-- z -->\nbehind\n")
    rewrite_marked(document, "<!-- a -->", "<!-- z -->", lambda old: old.strip() + " and new")
    assert document.read_text() == "before\n<!-- a -->\nold and new\n<!-- z -->\nbehind\n"
    with pytest.raises(OptionError, match="expected the marks <!-- b --> and <!-- z -->"):
        rewrite_marked(document, "<!-- b -->", "<!-- z -->", str)
