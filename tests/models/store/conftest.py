"""Each test has a cache of its own."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """The cache folder, not made yet."""
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
