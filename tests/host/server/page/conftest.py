"""A browser, servers of the shipped model, and tabs. Without a browser the tests that need one are skipped."""

import threading

import numpy as np
import pytest

from tests.chromium import chromium
from tests.host.server.page.tab import Tab, chat_model, save_vectors
from tests.host.server.serving import serving

_WINDOW = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, a file's own: its driver holds this thread's event loop as long as it lives."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def chat(tmp_path_factory, browser):
    """The shipped model with a template, and a stage `leaning` that requests may set."""
    folder = tmp_path_factory.mktemp("page")
    model = chat_model(folder / "model")
    stage = save_vectors(folder / "leaning.safetensors", model, np.random.default_rng(5))
    with serving("--model", model, "--alias", "shipped", "--stage", f"{stage}:0") as server:
        yield server


@pytest.fixture(scope="module")
def plain(browser):
    """The shipped model as it is, behind a key."""
    with serving(key="open sesame") as server:
        yield server


@pytest.fixture
def tabs(browser):
    """Opens tabs, each in a browser that keeps nothing of the others; `like`: in the same as another tab."""
    contexts, made = [], []

    def opened(server, like=None, **options):
        if like is None:
            contexts.append(browser.new_context(**{"viewport": _WINDOW, **options}))
        made.append(Tab(like.page.context if like else contexts[-1], server.url))
        return made[-1]

    yield opened
    for made_tab in made:
        made_tab.page.close()
        made_tab.check()
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def one_tab(browser, chat):
    """A tab at the chat for all tests of a file."""
    return Tab(browser.new_context(viewport=_WINDOW), chat.url)


@pytest.fixture
def tab(one_tab):
    """A tab at the chat: greedy, short answers."""
    one_tab.begin()
    one_tab.set(temperature=0, max_tokens=12)
    yield one_tab
    one_tab.check()


@pytest.fixture
def slow(chat, monkeypatch):
    """Passes of the chat's server wait for `slow.set()` after some tokens."""
    gate, step, passes = threading.Event(), chat.served.engine.step, [0]

    def gated():
        passes[0] += 1
        if passes[0] > 5:
            gate.wait(20)
        return step()

    monkeypatch.setattr(chat.served.engine, "step", gated)
    yield gate
    gate.set()
