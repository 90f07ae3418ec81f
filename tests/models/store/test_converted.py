"""Converted checkpoints: made once, whole or not at all, by content; named, found, made anew and removed."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import models.convert
from models.checkpoint import load_model
from models.errors import BuildError, ModelError
from models.store import converted as store
from models.store.converted import converted, entries, find_entry, refresh, remove
from tests.models.store.sources import folder_source, gguf_source

ROOT = Path(__file__).resolve().parents[3]
WRITE = "from pathlib import Path; from models.store.converted import converted; print(converted(Path({0!r}), {0!r}))"


@pytest.fixture
def conversions(monkeypatch):
    """Sources that are converted."""
    found, real = [], models.convert.convert
    monkeypatch.setattr(models.convert, "convert", lambda source, *rest, **named: found.append(source) or real(
        source, *rest, **named))
    return found


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_converted_once_whatever_it_is_called(tmp_path, conversions, capsys):
    path = gguf_source(tmp_path / "sha256-5d1b")
    before = held(tmp_path)
    folder = converted(path, "mine")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "converting mine, once" and said[-1] == "converted: tiny-talker, listed by tritloom models"
    assert any(line.startswith("note: mine: assumed activation relu2") for line in said)
    other = shutil.copy(path, tmp_path / "other.gguf")
    assert converted(path, "mine") == converted(Path(other), "theirs") == folder and conversions == [path]
    assert capsys.readouterr().err == ""
    assert {name: data for name, data in held_files(tmp_path).items() if name != "other.gguf"} == before
    models.convert.convert(path, tmp_path / "own")
    assert held(folder) == held(tmp_path / "own")
    [entry] = entries()
    assert (entry.name, entry.source, entry.path) == ("tiny-talker", "mine", str(path))
    assert entry.bytes > sum(map(len, held(folder).values())) and time.time() - entry.used < 100


def held_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_another_content_is_another_model(tmp_path, conversions):
    folder = folder_source(tmp_path / "small")
    first = converted(folder, "small")
    (folder / "picture.png").write_bytes(b"none of its business")
    assert converted(folder, "small") == first
    (folder / "generation_config.json").write_text('{"temperature": 0.5}')
    second = converted(folder, "small")
    assert second != first and len(conversions) == 2
    names = [entry.name for entry in entries()]
    assert names[0] == "small" and names[1].startswith("small-") and len(names[1]) == len("small-") + 6


def test_names_keys_and_their_first_digits_find_it(tmp_path):
    converted(gguf_source(tmp_path / "a.gguf"), "a")
    [entry] = entries()
    for name in ("tiny-talker", "Tiny-Talker", entry.key, entry.key[:6], entry.key[:6].upper()):
        assert find_entry(name) == entry
    assert find_entry(entry.key[:5]) is None and find_entry("tiny") is None and find_entry("") is None
    remove(entry)
    assert entries() == [] and find_entry("tiny-talker") is None and (tmp_path / "a.gguf").exists()


@pytest.mark.parametrize("name", ["demo", "bitnet-2b4t"])
def test_no_name_hides_one_that_is_known(tmp_path, name):
    converted(gguf_source(tmp_path / "a.gguf", name=name), "a")
    assert entries()[0].name.startswith(f"{name}-")


def test_two_of_one_name_are_told_apart_by_their_keys(tmp_path):
    for number in range(2):
        converted(gguf_source(tmp_path / f"{number}.gguf", license=str(number)), "x")
    for entry in entries():
        file = entry.home / "entry.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"name": "same"}))
    with pytest.raises(ModelError, match="2 converted models are called same: use the key of one, [0-9a-f]{12} or "):
        find_entry("same")


def test_another_converter_makes_it_anew_and_the_old_one_goes(tmp_path, conversions, monkeypatch):
    path = gguf_source(tmp_path / "a.gguf")
    old = converted(path, "a")
    [entry] = entries()
    monkeypatch.setattr(store, "_converter", lambda: "of tomorrow")
    new = refresh(entry)
    assert new != old and [entry.folder for entry in entries()] == [new] and len(conversions) == 2
    assert entries()[0].name == entry.name or entries()[0].name.startswith(f"{entry.name}-")
    path.unlink()
    monkeypatch.setattr(store, "_converter", lambda: "of the day after")
    assert refresh(entries()[0]) == new, "what has lost its source stays as it is"


def test_a_conversion_that_fails_leaves_nothing(tmp_path, own_cache):
    path = gguf_source(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="a.gguf: tensor .*cut short"):
        converted(path, "a")
    assert [item.name for item in (own_cache / "models").iterdir() if item.is_dir()] == [] == entries()


def test_a_file_that_does_not_tell_its_activation_is_for_the_converter(tmp_path):
    path = gguf_source(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes().replace(np.float32(5e5).tobytes(), np.float32(1e4).tobytes(), 1))
    with pytest.raises(ModelError, match="give --activation relu2 or --activation silu, to models.convert$"):
        converted(path, "a")


def test_a_source_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    path, real = gguf_source(tmp_path / "a.gguf"), models.convert.convert

    def slow(source, *rest, **named):
        real(source, *rest, **named)
        os.utime(source, (1, 1))

    monkeypatch.setattr(models.convert, "convert", slow)
    with pytest.raises(ModelError, match="a.gguf: it was written to while it was converted"):
        converted(path, "a")
    assert entries() == []


def test_a_disk_without_room_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("models.checkpoint_writer.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 5))
    with pytest.raises(ModelError, match="cannot be written: the model takes .* kB, and the disk has 5 B left"):
        converted(gguf_source(tmp_path / "a.gguf"), "a")


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", "/proc/none")
    with pytest.raises(BuildError, match="the cache folder /proc/none cannot be written"):
        converted(gguf_source(tmp_path / "a.gguf"), "a")


def test_threads_wait_for_one(tmp_path, conversions):
    path = gguf_source(tmp_path / "a.gguf")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: converted(path, "a"), range(8)))) == 1
    assert len(conversions) == 1


def test_processes_wait_for_one_and_what_a_killed_one_leaves_is_taken_away(tmp_path, own_cache):
    path = gguf_source(tmp_path / "a.gguf")
    code = WRITE.format(str(path))
    stuck = "import time, models.convert as c; c.quantise_into = lambda *_, **__: time.sleep(60); " + code
    with subprocess.Popen([sys.executable, "-c", stuck], cwd=ROOT, stderr=subprocess.PIPE, text=True) as first:
        first.stderr.readline()
        while not list(own_cache.glob("models/*/*/*/model.safetensors")):
            assert first.poll() is None
            time.sleep(0.01)
        both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True) for _ in range(2)]
        assert entries() == []
        first.kill()
    said = [process.communicate() for process in both]
    assert said[0][0] == said[1][0] and sorted("converting" in error for _, error in said) == [False, True]
    assert [item.name for item in (own_cache / "models").iterdir() if item.is_dir()] == [entries()[0].key]
    load_model(said[0][0].strip())


def test_who_runs_a_model_keeps_it_when_it_is_removed(tmp_path):
    model = load_model(converted(gguf_source(tmp_path / "a.gguf"), "a"))
    remove(entries()[0])
    assert model.head.shape[0] == 6 and int(model.embedding[5].sum()) != 1 << 40


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": 1}'])
def test_a_damaged_entry_is_no_model(tmp_path, text):
    path = gguf_source(tmp_path / "a.gguf")
    converted(path, "a")
    (entries()[0].home / "entry.json").write_text(text)
    assert entries() == []
    with pytest.raises(ModelError, match="is damaged: remove that folder"):
        converted(path, "a")
