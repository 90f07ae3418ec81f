"""Fixtures of the host's tests."""

import numpy as np
import pytest

_AUSTEN = "It is a truth universally acknowledged, that a single man in possession of a good fortune. " * 12
_SCRIPTURE = "And the LORD spake unto Moses, saying, Speak unto the children of Israel, and say unto them. " * 12


@pytest.fixture
def rng():
    """Random numbers, the same in every test."""
    return np.random.default_rng(5)


@pytest.fixture
def texts(tmp_path):
    """A folder with two texts of some length: austen.txt and scripture.txt."""
    for name, text in (("austen.txt", _AUSTEN), ("scripture.txt", _SCRIPTURE)):
        (tmp_path / name).write_text(text)
    return tmp_path
