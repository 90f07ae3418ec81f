import os

import pytest

from models.errors import OptionError
from models.output import check_output_file, check_output_folder

LONG = "a" * 300


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "old").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "later")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = files_below(tmp_path)
    yield tmp_path
    assert files_below(tmp_path) == before
    assert (tmp_path / "old").read_text() == "kept"


@pytest.mark.parametrize("name", ["new", "old", "link", "folder/new", os.devnull])
def test_files_that_can_be_written(home, name):
    check_output_file(home / name)
    check_output_file(str(home / name))


@pytest.mark.parametrize("name", ["folder", "none/new", "old/new", LONG, "loop", "a\0b", "/proc/none/x", "/proc/x"])
def test_files_that_cannot_be_written(home, name):
    with pytest.raises(OptionError, match="cannot be written") as caught:
        check_output_file(home / name)
    assert str(caught.value).startswith(str(home / name).replace("\0", r"\x00"))


def test_a_pipe_is_not_opened(home):
    os.mkfifo(home / "pipe")  # to open it would wait for a reader
    check_output_file(home / "pipe")
    (home / "pipe").unlink()


@pytest.mark.parametrize("name", ["", "folder", "new", "new/and/deeper", "folder/new", "link"])
def test_folders_that_can_be_written(home, name):
    check_output_folder(home / name)


@pytest.mark.parametrize("name", ["old", "old/new", LONG, f"new/{LONG}", "loop", "a\0b", "/proc/none/x", "/proc"])
def test_folders_that_cannot_be_written(home, name):
    with pytest.raises(OptionError, match="cannot be written") as caught:
        check_output_folder(home / name)
    assert str(caught.value).startswith(str(home / name).replace("\0", r"\x00"))
