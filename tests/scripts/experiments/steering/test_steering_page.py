"""The page's table and samples say what was measured, and stand where the page has its marks."""

from __future__ import annotations

from scripts.experiments.steering import steering_page
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE

ROW = {"target": SCRIPTURE, "strength": 0.2, "shift": 1.528, "error": 0.141, "random": 0.16, "shuffled": 0.38,
       "ratio": 4.02, "success": 0.8125, "perplexity_austen": 1.06, "perplexity_scripture": 1.04}
TEXTS = ["one\ntwo ", "a|b", "c"]


def outcome(kind, target, vector=0, strength=0.2):
    return {"kind": kind, "target": target, "vector": vector, "strength": strength,
            "texts": [f"{kind} {vector} {strength} {n}" for n in range(3)]}


RESULT = {
    "summary": [ROW, ROW | {"target": AUSTEN, "strength": 0.5}],
    "prompts": {SCRIPTURE: TEXTS, AUSTEN: TEXTS}, "plain": {SCRIPTURE: TEXTS, AUSTEN: TEXTS},
    "outcomes": [outcome(kind, target, vector, strength) for kind in ("steered", "random", "shuffled")
                 for target in (SCRIPTURE, AUSTEN) for vector in (0, 1) for strength in (0.1, 0.2)]}


def test_a_line_of_the_sweep():
    lines = steering_page.table(RESULT["summary"]).splitlines()
    assert lines[2] == "| scripture | **0.2** | +1.53 ± 0.14 | 0.16 | 0.38 | **4.0** | 81 % | × 1.06 | × 1.04 |"
    assert lines[3].startswith("| Austen | 0.5 | ") and all(line.count("|") == 10 for line in lines)


def test_samples_are_those_of_the_first_vectors_at_the_default_strength():
    text = steering_page.samples(RESULT["prompts"], RESULT["plain"], RESULT["outcomes"])
    assert "| **one two …** | |\n| --- | --- |\n| plain | …one two |\n| steered | …steered 0 0.2 0 |" in text
    assert "a\\|b" in text and text.count("| steered |") == 6 and " 1 0.2" not in text and "0.1" not in text


def test_the_page_has_the_marks(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(steering_page.DOCUMENT.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(steering_page, "DOCUMENT", page)
    steering_page.record(RESULT)
    assert steering_page.table(RESULT["summary"]) in page.read_text("utf-8")
    assert "steered 0 0.2 2" in page.read_text("utf-8")
