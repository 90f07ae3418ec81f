"""Take the pictures of docs/page.md: `python -m scripts.screenshots`, with the extra `browser` and a Chromium.

A server of the shipped model, with a stage of steering that is fitted to the model's own two manners, and a browser
that talks with it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import tritloom
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["BROWSERS", "FOLDER", "PICTURES", "main"]

FOLDER = Path(__file__).resolve().parents[1] / "docs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PICTURES = ("page-light.png", "page-dark.png", "page-phone.png")
_COLOURS = 96  # of a picture: a quarter of the bytes, and the eye sees none of it
_MANNERS = {"scripture": ("And the LORD", "And it came to pass"), "austen": ("Mr. Darcy", "Elizabeth was")}
_HEADLESS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--hide-scrollbars"]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.screenshots", description="Take the pictures of docs/page.md.")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, metavar="DIR", help="default: docs")
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise OptionError(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with _server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_HEADLESS)
        for name, picture in zip(PICTURES, _pictures(browser, url), strict=True):
            (options.output / name).write_bytes(_small(picture))


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """Where the server is, until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        model, texts = tritloom.load(), {}
        for manner, beginnings in _MANNERS.items():
            texts[manner] = Path(folder, f"{manner}.txt")
            texts[manner].write_text("\n".join(
                beginning + model.generate(beginning, n=300, seed=seed)
                for seed, beginning in enumerate(beginnings)), encoding="utf-8")
        stage = Path(folder, "scripture.safetensors")
        _run("host.pipeline", "fit", "--kind", "steering", "--method", "difference-of-means", "--toward",
             str(texts["scripture"]), "--away", str(texts["austen"]), "-o", str(stage))
        process = subprocess.Popen([sys.executable, "-m", "host.serve", "--port", "0", "--json", "--alias",
                                    "tritloom-demo", "--speculate", "--stage", f"{stage}:0"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait()


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def _pictures(browser: Any, url: str) -> Iterator[bytes]:
    """In the order of `PICTURES`."""
    page = _opened(browser, url, 1280, 800, "light")
    page.fill("#sampling-seed", "7")
    page.fill("#sampling-temperature", "0.4")
    page.fill("#sampling-max_tokens", "90")
    _send(page, "It is a truth universally acknowledged")
    _send(page, "")
    yield _picture(page)

    page = _opened(browser, url, 1280, 800, "dark")
    page.fill("#sampling-seed", "4")
    page.fill("#sampling-max_tokens", "120")
    _send(page, "My dear Mr. Bennet")
    page.get_by_label("scripture, strength", exact=True).fill("0.35")
    page.get_by_role("button", name="Again").click()
    _answered(page)
    yield _picture(page)

    page = _opened(browser, url, 390, 760, "light", scale=1.5)
    _set_on_phone(page, {"seed": "2", "max_tokens": "70"})
    _send(page, "In the beginning")
    yield _picture(page)


def _opened(browser: Any, url: str, width: int, height: int, scheme: str, scale: float = 1) -> Any:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme,
                                  device_scale_factor=scale)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#state[data-state=good]")
    return page


def _set_on_phone(page: Any, fields: dict[str, str]) -> None:
    page.click("#show-settings")
    for name, value in fields.items():
        page.fill(f"#sampling-{name}", value)
    page.keyboard.press("Escape")


def _send(page: Any, text: str) -> None:
    page.fill("#prompt", text)
    page.press("#prompt", "Enter")
    _answered(page)


def _answered(page: Any) -> None:
    """Waits for the end of the answer, and for what the server then counts."""
    page.wait_for_selector("#send:not([hidden])")
    page.wait_for_timeout(400)


def _picture(page: Any) -> bytes:
    """The page with its settings from their start, and nothing under a pointer."""
    page.mouse.move(0, 0)
    page.evaluate("document.getElementById('settings-panel').scrollTop = 0")
    return page.screenshot()


def _small(picture: bytes) -> bytes:
    """A PNG with few colours."""
    from PIL import Image

    out = BytesIO()
    Image.open(BytesIO(picture)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    run_command(main)
