"""The file of what was typed: where it lies, and that nobody else reads it."""

from pathlib import Path

from host.terminal.history import history_file, state_folder


def test_it_is_the_owners_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = history_file()
    assert path == tmp_path / "state" / "tritloom" / "chat_history" and path.read_bytes() == b""
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    path.write_text("kept")
    path.chmod(0o644)
    assert history_file() == path and path.read_text() == "kept" and path.stat().st_mode & 0o777 == 0o600


def test_without_a_folder_there_is_none(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert history_file() is None


def test_the_default_is_below_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert state_folder() == Path(tmp_path) / ".local/state/tritloom"
