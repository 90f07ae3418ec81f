"""The files of the page, as they are served: they name no other machine, and nothing they show can run."""

import re

import pytest
from starlette.testclient import TestClient

from host.server.application import PAGE, application

FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'  # a name, which nobody asks for
ANOTHER = re.compile(r"""(?:[a-z]+:)?//[\w[]|["'`(]\s*//|\bimport\(["'`]|WebSocket|sendBeacon|EventSource""", re.I)
RUNS = re.compile(r"""(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\son\w+="|<style""")
REFERENCES = re.compile(r"""(?:\bfrom |\bimport |\b(?:src|href)=|\burl\()["']([^"']+)""")
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def faults(text, pattern):
    """What a pattern finds, where it is no comment."""
    code = re.sub(r"^\s*(?://|\*|/\*).*$", "", text.replace(NAMESPACE, ""), flags=re.MULTILINE)
    return [found[0] for found in pattern.finditer(code)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_names_no_other_machine_and_makes_nothing_run(path):
    text = path.read_text(encoding="utf-8")
    assert faults(text, ANOTHER) == [] and faults(text, RUNS) == []
    for name in REFERENCES.findall(text):
        assert name.startswith("#") or (path.parent / name).is_file(), name


@pytest.mark.parametrize("text", [
    '<img src="https://a.example/b.png">', '<script src="//a.example/b.js">', "fetch('http://a.example')",
    "new WebSocket(place)", "url(//a.example/font)", "navigator.sendBeacon(place)"])
def test_another_machine_is_found(text):
    assert faults(text, ANOTHER)


def test_the_policy_lets_nothing_in_from_outside():
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert {part.strip() for part in policy.split(";")} == {
        "default-src 'self'", "base-uri 'none'", "form-action 'none'", "object-src 'none'"}
    assert page.index("Content-Security-Policy") < page.index("<link") < page.index("<script")


def test_every_file_is_served_as_what_it_is():
    client = TestClient(application(None, key="secret"))
    assert client.get("/").text == (PAGE / "index.html").read_text(encoding="utf-8")
    for path in FILES:
        answer = client.get(f"/{path.relative_to(PAGE).as_posix()}")
        assert answer.status_code == 200 and answer.content == path.read_bytes()
        assert answer.headers["content-type"].startswith(TYPES[path.suffix])
    assert client.get("/v1/status").status_code == 401
