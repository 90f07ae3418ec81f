"""Text files of any system: what is text in them, what ends a line, what is refused."""

import pytest

from models.errors import OptionError
from models.text_file import decode_text, lines_of, read_text_file

LINES = ["one", "two\u2028still two", "three\x0cstill three\x85", "f\rour"]


@pytest.fixture
def written(tmp_path):
    def write(data):
        path = tmp_path / "text.txt"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_only_line_feeds_end_lines_and_a_mark_is_no_text(written, end, mark):
    path = written(mark + end.join(LINES).encode())
    assert read_text_file(path) == "\n".join(LINES)
    assert lines_of(read_text_file(path)) == lines_of(decode_text(path.read_bytes(), path)) == LINES


def test_a_mark_inside_is_text(written):
    assert read_text_file(written("a\ufeffb".encode())) == "a\ufeffb"


def test_an_empty_file_is_an_empty_text(written):
    assert read_text_file(written(b"")) == ""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_named(written, encoding):
    path = written("It was a truth".encode(encoding))
    with pytest.raises(OptionError, match=f"^cannot read {path}: it is UTF-16 or no text at all; save it as UTF-8$"):
        read_text_file(path)


def test_what_is_no_utf_8_is_refused(written):
    path = written(b"ab\xffcd")
    with pytest.raises(OptionError, match=f"^cannot read {path}: it is not UTF-8: byte 2 is 0xff$"):
        read_text_file(path)


@pytest.mark.parametrize(("name", "reason"), [("no/such/file", "No such file or directory"), (".", "Is a directory"),
                                              ("a\0b", "embedded null byte"), ("a" * 300, "File name too long")])
def test_what_cannot_be_read_is_one_line(name, reason):
    with pytest.raises(OptionError, match=f"cannot read .*: {reason}"):
        read_text_file(name)


def test_a_text_without_an_end_is_refused(written, monkeypatch):
    monkeypatch.setattr("models.text_file.LARGEST_TEXT", 8)
    assert read_text_file(written(b"12345678")) == "12345678"
    for path in (written(b"123456789"), "/dev/zero"):
        with pytest.raises(OptionError, match="cannot read .*: it has more than 8 bytes"):
            read_text_file(path)
