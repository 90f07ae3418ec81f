"""A tab of a browser that is open at the page, and what it talks to."""

import json
import shutil
import time
from pathlib import Path

from host.pipeline.artefact import save_artefact
from models.checkpoint import load_model
from models.model_hash import model_hash
from models.vocabulary.parts import ChatFormat

__all__ = ["Tab", "answer", "chat_model", "save_vectors"]

_DEMO = Path(__file__).resolve().parents[4] / "models" / "demo"
_TEMPLATE = "{% for message in messages %}{{ message.content + '\\n' }}{% endfor %}"
_PATIENCE = 20_000  # ms


def answer(server, *messages, **fields):
    """The text that the API answers messages with, "role: text" each, without space around it."""
    listed = [dict(zip(("role", "content"), message.split(": ", 1), strict=True)) for message in messages]
    status, found = server.post("/v1/chat/completions", messages=listed, **fields)
    assert status == 200, found
    return found["choices"][0]["message"]["content"].strip()


def chat_model(folder: Path) -> Path:
    """The shipped model with a chat template that puts each message on a line."""
    shutil.copytree(_DEMO, folder)
    (folder / "chat.json").write_text(json.dumps(ChatFormat(_TEMPLATE, "", "").to_json()))
    return folder


def save_vectors(path: Path, folder: Path, rng) -> Path:
    """An artefact that adds random vectors after the layers of a model."""
    model = load_model(folder)
    vectors = rng.standard_normal((model.config.layers, model.config.hidden_size))
    save_artefact(path, "steering", "difference-of-means", ["residual"], {"vectors": vectors}, model=model_hash(model),
                  fit={})
    return path


class Tab:
    """A page of a browser's context, and what a person does there."""

    def __init__(self, context, url):
        self.url, self.page = url, context.new_page()
        self.errors, self.asked = [], []
        self._size = self.page.viewport_size
        self.page.set_default_timeout(_PATIENCE)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.open()

    def open(self):
        """Load the page, for the first time or again; until it knows the server."""
        self.page.goto(self.url)
        self.page.wait_for_selector("#state[data-state]")

    def begin(self):
        """As if it were new: a third of what a new one costs."""
        self.page.context.set_offline(False)
        self.page.unroute_all()
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(self._size)
        self.page.goto(f"{self.url}/icon.svg")
        self.page.evaluate("localStorage.clear(), sessionStorage.clear()")
        self.open()

    def check(self):
        """Nothing failed in it, and it asked its own server alone."""
        assert self.errors == []
        assert {url for url in self.asked if not url.startswith((self.url, "blob:"))} == set()

    def send(self, text, wait=True):
        """Type a message and send it by keyboard."""
        self.page.fill("#prompt", text)
        self.page.press("#prompt", "Enter")
        if wait:
            self.answered()

    def answered(self):
        """Wait until no answer is under way."""
        self.page.wait_for_selector("#send:not([hidden])")

    def set(self, **sampling):
        """Fill fields of the settings."""
        for name, value in sampling.items():
            self.page.fill(f"#sampling-{name}", str(value))

    def press(self, label, within="body"):
        """Click a button by its label."""
        self.page.locator(within).get_by_role("button", name=label, exact=True).last.click()

    def messages(self):
        """The texts of the conversation, in order."""
        return self.page.locator(".message .content").all_text_contents()

    def text(self, selector):
        """The text of one element."""
        return self.page.text_content(selector)

    def said(self):
        """What the live region says."""
        self.until("announcer.textContent")
        return self.text("#announcer")

    def until(self, expression):
        """Wait until an expression of the page is true; the page's own policy forbids it the browser driver's way."""
        ends = time.monotonic() + _PATIENCE / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < ends, f"never true: {expression}"
            self.page.wait_for_timeout(10)
