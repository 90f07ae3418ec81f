"""The pages name what is there: files, modules that commands run, pages that they link to, and headings in these."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TOP = r"(?:tritloom|models|hw|host|sim|scripts|tests|docs|constraints|\.ci)"
PATH = re.compile(rf"`({TOP}/[\w./*-]*)`")
MODULE = re.compile(rf"python -m ({TOP}(?:\.\w+)+)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def missing(text: str, page: Path) -> Iterator[str]:
    """What a page's text names and nobody has. Paths may have a `*`."""
    for path in PATH.findall(text):
        if not any(ROOT.glob(path.rstrip("/"))):
            yield path
    for module in MODULE.findall(text):
        file = ROOT / module.replace(".", "/")
        if not file.with_suffix(".py").exists() and not (file / "__main__.py").exists():
            yield f"python -m {module}"
    for target, heading in LINK.findall(text):
        linked = page.parent / target if target else page
        if not linked.exists():
            yield target
        elif heading and heading not in headings(linked.read_text(encoding="utf-8")):
            yield f"{target}#{heading}"


def headings(text: str) -> set[str]:
    """Of Markdown, as links write them."""
    names = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", name).strip().lower().replace(" ", "-") for name in names}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_what_is_there(page):
    assert list(missing(page.read_text(encoding="utf-8"), page)) == []


@pytest.mark.parametrize("text", [
    "`host/none.py`", "`docs/*.none`", "python -m host.none", "python -m scripts.verify", "[a](none.md)",
    "[a](program.md#none)", "[a](#none)"])
def test_what_is_not_there_is_found(text):
    assert len(list(missing(text, ROOT / "docs" / "engine.md"))) == 1


@pytest.mark.parametrize("text", [
    "`host/runtime.py`", "`hw/vector/`", "`hw/boards/kv260/*.tcl`", "python -m hw.analytic", "python -m host.score",
    "[a](program.md#kv-cache)", "[a](https://none.example/x)"])
def test_what_is_there_passes(text):
    assert not list(missing(text, ROOT / "docs" / "engine.md"))


def test_the_first_page_leads_to_all_others():
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[2:] if f"docs/{page.name}" not in first] == []
