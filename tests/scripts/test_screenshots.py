"""The pictures of the page: those that the script takes are there, small, and shown."""

import pytest

from scripts.screenshots import FOLDER, PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_shown(name):
    assert (FOLDER / name).read_bytes().startswith(b"\x89PNG") and (FOLDER / name).stat().st_size <= 150_000
    assert f"({name})" in (FOLDER / "page.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in FOLDER.glob("page-*.png")) == sorted(PICTURES)
