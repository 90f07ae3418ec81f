"""Hashes of files: right, remembered, and never those of what a file held before."""

import os
import time
from hashlib import sha256

import pytest

from models.errors import ModelError
from models.store import content
from models.store.content import checkpoint_files, known_sha256, sha256_of, weight_files


def old(path, data: bytes, seconds: int = 100):
    """A file that was written some time ago, as far as a file system tells."""
    path.write_bytes(data)
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are read."""
    names, real = [], content._sha256
    monkeypatch.setattr(content, "_sha256", lambda path, bar: names.append(path.name) or real(path, bar))
    return names


@pytest.fixture
def settled(monkeypatch):
    """A moment later: no file is new."""
    monkeypatch.setattr(content, "_FRESH_NS", -1)


def test_the_hash_is_that_of_every_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "_PIECE", 7)
    for data in (b"", b"abc", bytes(range(256)) * 3):
        path = tmp_path / "x"
        path.write_bytes(data)
        assert sha256_of([path]) == {"x": sha256(data).hexdigest()}
    with pytest.raises(ModelError, match="none: cannot be read: No such file"):
        sha256_of([tmp_path / "none"])


def test_a_file_is_read_once_until_it_changes(tmp_path, reads, settled, own_cache):
    files = [old(tmp_path / name, name.encode()) for name in "ab"]
    first = known_sha256(files)
    assert known_sha256(files) == first == sha256_of(files) and reads[:2] == ["a", "b"] == reads[2:]
    old(files[0], b"A")  # as long, and as old
    assert known_sha256(files) == sha256_of(files) != first and reads[4:] == ["a", "a", "b"]
    assert not [path for path in tmp_path.iterdir() if path not in (*files, own_cache)]


def test_a_file_that_is_new_is_read_again(tmp_path, reads):
    (tmp_path / "a").write_bytes(b"a")
    assert known_sha256([tmp_path / "a"]) == known_sha256([tmp_path / "a"]) and reads == ["a", "a"]


def test_a_damaged_note_is_no_hash(tmp_path, reads, settled, own_cache):
    path = old(tmp_path / "a", b"a")
    known_sha256([path])
    [note] = (own_cache / "sources").iterdir()
    for text in ("", "[]", "{}", '{"stamp": 1}', "\0"):
        note.write_text(text)
        assert known_sha256([path]) == {"a": sha256(b"a").hexdigest()}
    assert len(reads) == 6


def test_the_files_of_a_checkpoint(tmp_path):
    for name in ("config.json", "model.safetensors", "old.safetensors", "README.md", "merges.txt", "tokenizer.model",
                 "chat_template.jinja", "pytorch_model.bin", "picture.png", "LICENSE"):
        (tmp_path / name).touch()
    (tmp_path / "folder.json").mkdir()
    names = [path.name for path in checkpoint_files(tmp_path)]
    assert names == sorted(["config.json", "model.safetensors", "old.safetensors", "README.md", "merges.txt",
                            "tokenizer.model", "chat_template.jinja", "LICENSE"])
    assert [path.name for path in weight_files(tmp_path)] == ["model.safetensors"]
    (tmp_path / "model.safetensors").unlink()
    assert [path.name for path in weight_files(tmp_path)] == ["old.safetensors"]
    assert checkpoint_files(tmp_path / "README.md") == weight_files(tmp_path / "README.md") == [tmp_path / "README.md"]
