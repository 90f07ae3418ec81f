"""Talks as files: what was written is read, what is none is refused in one line, and nothing is lost."""

import json
import os

import pytest

from host.terminal.transcript import check_messages, read_transcript, write_transcript
from models.errors import OptionError


def talk(*contents, system=None):
    turns = [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]
    return ([{"role": "system", "content": system}] if system else []) + turns


@pytest.mark.parametrize("messages", [[], talk("a", "b"), talk("é\n\u2028", "", "c", "d", system="Be brief."),
                                      talk(system="Be brief.")])
def test_what_was_written_is_read(tmp_path, messages):
    path = tmp_path / "talk.json"
    write_transcript(str(path), messages)
    assert read_transcript(str(path)) == messages == json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({"model": "any", "messages": messages}))
    assert read_transcript(str(path)) == messages


@pytest.mark.parametrize("data, words", [
    (1, "expected a list of messages"), ({}, "expected a list of messages"), ([1], "message 1: expected an object"),
    ([{"role": "user"}], "message 1: expected an object with role and content"),
    ([{"role": "user", "content": 1}], "both strings"),
    ([{"role": "user", "content": "a", "name": "b"}], "message 1: expected an object with role and content"),
    (talk("a"), "the last question has no answer"), (talk("a", "b")[::-1], "message 1: expected one of the user"),
    (talk("a", "b") + talk(system="s"), "message 3: expected one of the user, found one of 'system'"),
    (talk("a", "\ud800"), "message 2: expected Unicode"), ([{"role": ["user"], "content": "a"}], "expected one of"),
])
def test_what_is_no_talk(tmp_path, data, words):
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(data))
    with pytest.raises(OptionError, match="is no talk: ") as refused:
        read_transcript(str(path))
    assert words in str(refused.value)


@pytest.mark.parametrize("content, words", [(b"{", "is no talk: it is not JSON"), (b"\xff", "it is not UTF-8"),
                                            (b"[" * 100_000, "is no talk: it is not JSON")])
def test_damaged_files(tmp_path, content, words):
    path = tmp_path / "talk.json"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=words):
        read_transcript(str(path))


def test_missing_files_and_names_that_no_file_can_have(tmp_path):
    for name in (str(tmp_path / "none"), "a\0b", str(tmp_path), "a" * 300):
        with pytest.raises(OptionError, match="cannot read"):
            read_transcript(name)
    for name in (str(tmp_path / "none" / "x"), "a\0b", str(tmp_path), "a" * 300):
        with pytest.raises(OptionError, match="cannot be written"):
            write_transcript(name, [])
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole_where_a_link_points_with_its_mode(tmp_path, monkeypatch):
    path, link = tmp_path / "talk.json", tmp_path / "link"
    path.write_text("precious")
    path.chmod(0o640)
    link.symlink_to(path)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OptionError, match="No space left"):
        write_transcript(str(link), talk("a", "b"))
    assert path.read_text() == "precious" and len(list(tmp_path.iterdir())) == 2
    monkeypatch.undo()
    write_transcript(str(link), talk("a", "b"))
    assert link.is_symlink() and check_messages(json.loads(path.read_text())) == talk("a", "b")
    assert path.stat().st_mode & 0o777 == 0o640


def test_home_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_transcript("~/talk.json", talk("a", "b"))
    assert read_transcript("~/talk.json") == talk("a", "b") and (tmp_path / "talk.json").exists()
