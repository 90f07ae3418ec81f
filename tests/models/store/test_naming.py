"""What `--model` takes, each by its path and by its short name; what it does not take says what was looked for."""

import os

import pytest

from models.checkpoint import load_config, load_generation, load_model
from models.config import PRESETS, SHIPPED
from models.convert import convert
from models.errors import ModelError
from models.store.converted import entries, remove
from models.store.naming import model_folder
from tests.models.store.sources import TINY, folder_source, gguf_source


def hub_cache(folder, source):
    """A repository in a hub's cache: links into blobs."""
    snapshot = folder / "models--someone--tiny-ternary" / "snapshots" / "0c1d2e3f"
    (snapshot / "../../blobs").resolve().mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(source.iterdir())):
        file.rename(snapshot.parents[1] / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    return snapshot


def test_a_gguf_file_by_path_and_by_short_name(tmp_path, monkeypatch):
    path = gguf_source(tmp_path / "a.gguf", sampling_temp=0.25)
    bare = path.rename(tmp_path / "sha256-5d1b0f3c8a")
    model = load_model(bare)
    assert model.config.name == TINY.name and model.config.layers == 1 and model.provenance["format"] == "gguf"
    for name in (str(bare), "tiny-talker", entries()[0].key[:8], entries()[0].folder):
        assert model_folder(name) == model.folder
    assert load_generation("tiny-talker") == {"temperature": 0.25} and load_config("tiny-talker") == model.config
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder("~/sha256-5d1b0f3c8a") == model.folder
    bare.unlink()
    assert model_folder("tiny-talker") == model.folder


def test_a_folder_and_a_folder_of_a_hubs_cache(tmp_path):
    source = folder_source(tmp_path / "small", temperature=0.5)
    first = model_folder(source)
    assert load_model(first).provenance["license"] == "mit"
    snapshot = hub_cache(tmp_path, source)
    for path in (snapshot, snapshot.parents[1]):
        assert model_folder(path) == first, "the same content"
    remove(entries()[0])
    assert load_model(snapshot).config.name == "tiny-ternary" and entries()[0].name == "tiny-ternary"


def test_of_several_revisions_that_of_the_main_branch_is_meant(tmp_path):
    snapshot = hub_cache(tmp_path, folder_source(tmp_path / "small"))
    newer = snapshot.with_name("ffff")
    newer.mkdir()
    gguf_source(newer / "b.gguf")
    os.utime(snapshot, (1, 1))
    cache = snapshot.parents[1]
    assert load_config(cache).name == TINY.name
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0c1d2e3f")
    assert load_config(cache).name == "tiny-ternary"


def test_a_folder_with_gguf_files(tmp_path):
    only = tmp_path / "only"
    only.mkdir()
    path = gguf_source(only / "a-TQ2_0.gguf")
    (only / "config.json").write_text("{}")  # as some repositories have it beside
    assert model_folder(only) == model_folder(path)
    (only / "a-F16.gguf").write_bytes(b"")
    assert model_folder(only) == model_folder(path)
    (only / "b-TQ2_0.gguf").write_bytes(b"")
    with pytest.raises(ModelError, match="only holds .*: name one of these files"):
        model_folder(only)


def test_converted_folders_and_their_files(tmp_path):
    convert(gguf_source(tmp_path / "a.gguf"), tmp_path / "out")
    for name in (tmp_path / "out", tmp_path / "out" / "model.json", tmp_path / "out" / "model.safetensors"):
        assert model_folder(name) == tmp_path / "out"
    assert entries() == []


def test_names_of_ours_come_first_and_paths_before_short_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gguf_source(tmp_path / "demo")
    assert model_folder("demo") == SHIPPED["demo"]
    assert model_folder("./demo") == model_folder("tiny-talker") == entries()[0].folder
    (tmp_path / "tiny-talker").mkdir()
    with pytest.raises(ModelError, match="^tiny-talker is not a model: it has no model.json"):
        model_folder("tiny-talker")
    assert load_config("bitnet-2b4t") == PRESETS["bitnet-2b4t"]
    with pytest.raises(ModelError, match="bitnet-2b4t is a shape without weights"):
        model_folder("bitnet-2b4t")


@pytest.mark.parametrize(("name", "message"), [
    ("none", "^no model folder at none, no file and no converted model of that name; there are demo, chat, bilingual$"),
    ("org/none", "; on the Hugging Face hub it is hf:org/none$"), ("./none", "there are demo"), ("a" * 300, "no model"),
    ("a\0b", "no model folder at"), ("notes.txt", "expected a Hugging Face folder or a GGUF file, found"),
    ("config.json", "found JSON text: give the folder that holds it"), ("empty.gguf", "found an empty file"),
    ("cut.gguf", "cut.gguf: expected a whole GGUF file"), ("link", "link: expected a folder or"),
    ("folder", "^folder is not a model: it has no model.json .* config.json .* no \\*.gguf and no snapshots"),
    ("broken", "broken/config.json: "), ("hf:none", "expected hf:ORG/NAME"), ("hf:a/b@", "expected hf:ORG/NAME"),
    ("/dev/null", "found neither")])
def test_what_is_no_model_is_told(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    for file, data in (("notes.txt", b"hello"), ("config.json", b"{}"), ("empty.gguf", b""), ("cut.gguf", b"GGUF\3\0")):
        (tmp_path / file).write_bytes(data)
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    folder_source(tmp_path / "broken")
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=message):
        model_folder(name)
    assert entries() == []
