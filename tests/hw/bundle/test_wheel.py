"""The wheel of a bundle: for any machine, without what is compiled, refused without sources."""

import io
import zipfile

import pytest

from hw.bundle import wheel
from hw.bundle.wheel import build_wheel
from models.errors import BuildError


def test_it_is_for_any_machine():
    name, content = build_wheel()
    assert name.startswith("tritloom-") and name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        (about,) = (archive.read(entry).decode() for entry in names if entry.endswith(".dist-info/WHEEL"))
    assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    assert not [entry for entry in names if entry.endswith((".so", ".pyc"))]
    assert {"hw/boards/kv260/kv260.xdc", "hw/bundle/files/install.sh", "models/demo_chat/chat.json"} <= set(names)
    assert "Root-Is-Purelib: true" in about


def test_an_installed_copy_has_no_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel, "_ROOT", tmp_path)
    with pytest.raises(BuildError, match=f"^a bundle has the project's wheel, .*{tmp_path} is an installed copy$"):
        build_wheel()


def test_a_failure_is_one_line(monkeypatch):
    monkeypatch.setattr(wheel, "_BUILD", "import sys; sys.exit('no such setup')")
    with pytest.raises(BuildError, match="^setuptools could not make the wheel: no such setup$"):
        build_wheel()
