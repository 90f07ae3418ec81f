"""Archives: the same bytes twice, whole or not at all, programs that can be run, hashes that hold."""

import hashlib
import subprocess
import tarfile

import pytest

from hw.bundle.archive import SUMS, write_archive


@pytest.fixture
def files(tmp_path):
    (tmp_path / "large").write_bytes(bytes(range(256)) * 5000)
    return {"model/large": tmp_path / "large", "run.sh": b"#!/bin/sh\necho $1\n", "a.txt": b""}


def test_the_same_bytes_whatever_the_order_and_the_day(files, tmp_path):
    first, second = tmp_path / "first.tar.gz", tmp_path / "b" / "second.tar.gz"
    second.parent.mkdir()
    write_archive(first, "thing", files)
    (tmp_path / "large").touch()
    (tmp_path / "large").chmod(0o600)
    write_archive(second, "thing", dict(reversed(files.items())))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[4:8] == bytes(4)  # gzip's own time
    with tarfile.open(first) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(f"thing/{name}" for name in [*files, SUMS])
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
    assert {member.name: member.mode for member in members if member.mode != 0o644} == {"thing/run.sh": 0o755}


def test_the_hashes_hold(files, tmp_path):
    write_archive(tmp_path / "a.tar.gz", "thing", files)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    large = hashlib.sha256((tmp_path / "large").read_bytes()).hexdigest()
    assert f"{large}  model/large\n" in (tmp_path / "thing" / SUMS).read_text()
    check = ["sha256sum", "--check", "--quiet", SUMS]
    assert subprocess.run(check, cwd=tmp_path / "thing").returncode == 0
    (tmp_path / "thing" / "a.txt").write_text("x")
    assert subprocess.run(check, cwd=tmp_path / "thing", capture_output=True).returncode != 0


def test_a_failure_leaves_the_old_one(files, tmp_path):
    path = tmp_path / "out" / "a.tar.gz"
    path.parent.mkdir()
    path.write_text("old")
    with pytest.raises(FileNotFoundError):
        write_archive(path, "thing", files | {"b": tmp_path / "none"})
    assert [file.name for file in path.parent.iterdir()] == ["a.tar.gz"] and path.read_text() == "old"
