"""The cache: made once, whole or not at all, and keyed by all of its content."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.cache import cache_root, cached, digest
from models.errors import BuildError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))


def test_the_folder_is_named_by_the_environment(tmp_path, monkeypatch):
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("TRITLOOM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "tritloom"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home" / ".cache" / "tritloom"


def test_a_thing_is_built_once():
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "thing").write_text("made")

    for _ in range(3):
        assert (cached("kind", "key", build) / "thing").read_text() == "made"
    assert len(built) == 1 and not built[0].exists()
    cached("kind", "other", build)
    assert len(built) == 2


def test_those_who_ask_together_wait_for_one():
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "thing").write_text("made")

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: cached("kind", "key", build), range(32)))
    assert len(built) == len(folders) == 1


def test_a_failed_build_leaves_nothing():
    def fail(folder: Path) -> None:
        (folder / "half").write_text("done")
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        cached("kind", "key", fail)
    assert [name for name in os.listdir(cache_root() / "kind") if not name.endswith(".lock")] == []
    folder = cached("kind", "key", lambda folder: (folder / "whole").touch())
    assert os.listdir(folder) == ["whole"]


def test_every_part_counts_in_a_key():
    keys = [
        digest("ab", "c"),
        digest("a", "bc"),
        digest("abc"),
        digest("abc", ""),
        digest(("a", "b"), "c"),
        digest("a", ("b", "c")),
        digest("c", "ab"),
    ]
    assert len(set(keys)) == len(keys)
    assert digest("a", b"b", ["c"]) == digest("a", "b", ("c",))


@pytest.mark.parametrize("place", ["file/below", "/proc/none", "a" * 300])
def test_a_folder_that_cannot_be_made_is_named_with_the_variable(tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / place))
    for ask in (cache_root, lambda: cached("kind", "key", Path.touch)):
        with pytest.raises(BuildError, match=r"^the cache folder .* cannot be written .*TRITLOOM_CACHE$") as caught:
            ask()
        assert str(tmp_path / place) in str(caught.value)


def test_a_cache_in_which_nothing_can_be_made(monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", "/proc")  # there, and never written to
    with pytest.raises(BuildError, match="the cache folder /proc cannot be written"):
        cached("kind", "key", Path.touch)


def test_a_user_without_a_home(monkeypatch):
    for name in ("TRITLOOM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where nobody knows the user
    with pytest.raises(BuildError, match="no home folder for the cache: name a folder in TRITLOOM_CACHE"):
        cache_root()


def test_another_folder_and_what_is_said(tmp_path, capsys):
    for _ in range(2):
        folder = cached("kind", "key", lambda folder: (folder / "thing").touch(), what="making", root=tmp_path / "mine")
        assert folder == tmp_path / "mine" / "kind" / "key"
    assert capsys.readouterr().err == "making\n" and not (tmp_path / "cache").exists()
