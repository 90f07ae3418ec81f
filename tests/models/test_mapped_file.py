"""Files mapped into memory: what is no file is refused, and never waited for."""

import os
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.mapped_file import MappedFile, give_back


def test_bytes_stay_valid_after_their_pages_are_given_back(tmp_path):
    (tmp_path / "file").write_bytes(b"contents")
    file = MappedFile(tmp_path / "file")
    assert file.bytes.tobytes() == b"contents"
    file.release()
    assert file.bytes.tobytes() == b"contents"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_pages_within_an_array_are_given_back(tmp_path):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[2])  # pages of files

    page = os.sysconf("SC_PAGESIZE")
    (tmp_path / "file").write_bytes(bytes(range(256)) * (2000 * page // 256))
    array = MappedFile(tmp_path / "file").bytes
    array.sum()
    before = resident()
    give_back(array[100 * page + 1:1600 * page + 5][::1])
    assert 1400 < before - resident() < 1950  # the count lags, and a large page goes whole
    assert array[100 * page + 1] == 1
    give_back(np.zeros(5 * page, np.uint8))  # of no file


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: os.mkfifo(path), "expected a file, found something else"),
    (lambda path: path.mkdir(), "expected a file, found something else"),
    (lambda path: path.symlink_to("/dev/zero"), "expected a file, found something else"),
    (lambda path: path.symlink_to(path.name), "cannot be read: "),
    (lambda path: path.symlink_to("nowhere"), "no such file"),
    (lambda path: path.write_bytes(b""), "cannot be read: "),
])
def test_what_cannot_be_mapped_is_named(tmp_path, make, message):
    path = tmp_path / "model"
    make(path)
    with pytest.raises(ModelError) as error:
        MappedFile(path)
    assert str(error.value).startswith(f"{path}: {message}")
