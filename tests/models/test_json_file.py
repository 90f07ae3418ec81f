"""Small files beside a checkpoint: what is refused, in one line."""

import os

import pytest

from models import json_file
from models.errors import ModelError
from models.json_file import read_bounded, read_object, read_text


@pytest.mark.parametrize("data, message", [
    (b"{", "cannot be read as JSON: Expecting property name"),
    (b'{"a": ' + b"[" * 100_000, "cannot be read as JSON: nested too deeply"),
    (b'{"a": ' + b"7" * 5000 + b"}", "cannot be read as JSON: Exceeds the limit"),
    (b'{"a": ["\\ud83d"]}', "expected Unicode, found half a surrogate pair"),
    (b'{"\\uDE00": 1}', "expected Unicode, found half a surrogate pair"),
    (b"[1]", "expected a JSON object, found list"),
    (b'{"a": "\xff"}', "cannot be read: invalid start byte at byte 7, expected UTF-8"),
    (b"\x1f\x8b\x08\x00\xff\xff\xff\xff", "expected text, found a gzip archive"),
], ids=["cut", "deep", "digits", "half", "other half", "list", "encoding", "gzip"])
def test_a_damaged_file_is_one_line(tmp_path, data, message):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(ModelError) as error:
        read_object(path)
    assert str(error.value).startswith(f"{path}: {message}") and "\n" not in str(error.value)


def test_a_whole_pair_is_one_character(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"a": "\\ud83d\\ude00"}')
    assert read_object(path) == {"a": "\N{GRINNING FACE}"}


def test_what_is_no_file(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        read_text(tmp_path / "missing.json")
    with pytest.raises(ModelError, match="expected a file, found something else"):
        read_text(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")  # nobody will ever write to it
    with pytest.raises(ModelError, match="expected a file, found something else"):
        read_text(tmp_path / "pipe.json")


def test_a_file_has_a_stated_size_at_most(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text('{"a": 1}')
    assert read_bounded(path, 8) == b'{"a": 1}'
    monkeypatch.setattr(json_file, "LARGEST_TEXT", 7)
    with pytest.raises(ModelError, match="config.json: expected at most 7 bytes, found more"):
        read_object(path)


def test_byte_order_mark_and_line_ends_are_no_text(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes('\ufeff{"a":\r\n"é"}'.encode())
    assert read_text(path) == '{"a":\n"é"}' and read_object(path) == {"a": "é"}
