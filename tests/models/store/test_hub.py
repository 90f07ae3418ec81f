"""`hf:ORG/NAME` by the real huggingface_hub, against a hub on this machine."""

import shutil

import pytest

from models.checkpoint import load_generation, load_model
from models.errors import ModelError
from models.store.converted import entries, remove
from models.store.hub import HubName
from models.store.naming import model_folder
from tests.models.store.hub_server import COMMIT, hub_server
from tests.models.store.sources import folder_source, gguf_source

constants = pytest.importorskip("huggingface_hub.constants")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = folder_source(tmp_path / "source", temperature=0.5)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    gguf = gguf_source(tmp_path / "a.gguf").read_bytes()
    repositories = {
        "some/small": files | {"pytorch_model.bin": b"x", "onnx/model.onnx": b"x"},
        "some/ggufs": {"a-TQ2_0.gguf": gguf, "a-F16.gguf": b"x", "README.md": b"---\nlicense: mit\n---\n"},
        "some/many": {"a-TQ2_0.gguf": gguf, "b-TQ2_0.gguf": b"x"}, "some/none": {"model.bin": b"x"}, "some/gated": {},
        "some/float": {"config.json": b'{"model_type": "gpt2"}', "model.safetensors": b"x"}}
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with hub_server(repositories, frozenset(["some/gated"])) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def test_a_folder_comes_with_what_a_conversion_reads(hub, capsys, tmp_path):
    model = load_model("hf:some/small")
    assert model.config.name == "small" and model.provenance["license"] == "mit"
    assert load_generation("small") == {"temperature": 0.5}
    [entry] = entries()
    assert entry.source == "hf:some/small" and COMMIT in entry.path
    assert not [path for path in hub.asked if path.endswith((".bin", ".onnx"))]
    asked = len(hub.asked)
    assert model_folder("hf:some/small") == model_folder("small") == model.folder and len(hub.asked) == asked
    assert model_folder(f"hf:some/small@{COMMIT}") == model.folder
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("downloading hf:some/small: ") and said[1:] == [
        "converting hf:some/small, once", "converted: small, listed by tritloom models"]
    shutil.rmtree(tmp_path / "hub")
    assert model_folder("hf:some/small") == model.folder, "what is converted needs no download"


def test_the_best_gguf_file_and_the_one_that_is_named(hub):
    model = load_model("hf:some/ggufs")
    assert model.config.name == "Tiny Talker" and not [path for path in hub.asked if "F16" in path]
    assert model_folder("hf:some/many:a-TQ2_0.gguf") == model.folder, "the same content"


@pytest.mark.parametrize(("name", "message"), [
    ("hf:no/repository", "the hub has no such repository, or it is private"),
    ("hf:some/small@v2", "the repository has no revision v2"), ("hf:some/gated", "its owner asks for consent first"),
    ("hf:some/none", "it holds no model: neither config.json with model.safetensors nor a GGUF file, but model.bin"),
    ("hf:some/many", "it holds a-TQ2_0.gguf, b-TQ2_0.gguf: name one, as hf:some/many:FILE"),
    ("hf:some/many:c.gguf", "there is no such GGUF file: it has a-TQ2_0.gguf, b-TQ2_0.gguf"),
    ("hf:some/float", "config.json: model_type: expected ")])
def test_what_is_not_there_is_told(hub, name, message):
    with pytest.raises(ModelError) as error:
        model_folder(name)
    assert str(error.value).startswith(f"{name}: ") and message in str(error.value)
    assert not [path for path in hub.asked if path.endswith(".safetensors")], "weights that are no use"


def test_without_a_network_what_was_downloaded_is_taken(hub, monkeypatch, capsys):
    names = ["hf:some/small", "hf:some/ggufs", "hf:some/many:a-TQ2_0.gguf"]
    folders = [model_folder(name) for name in names]
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    for name, folder in zip(names, folders, strict=True):
        for entry in entries():
            remove(entry)
        assert model_folder(name) == folder
        assert f"note: the hub cannot be reached: {name} is taken as it was downloaded" in capsys.readouterr().err
    for name in ("hf:some/none", "hf:some/many:b-TQ2_0.gguf", "hf:some/small@v2"):
        with pytest.raises(ModelError, match="the hub cannot be reached, and nothing of it is here: .*refused"):
            model_folder(name)


def test_a_disk_without_room_is_told_before_the_download(hub, monkeypatch):
    monkeypatch.setattr("models.store.hub.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 5))
    with pytest.raises(ModelError, match=r"hf:some/small: it takes .* kB, and the disk of .* has 5 B left"):
        model_folder("hf:some/small")


@pytest.mark.parametrize("text", ["hf:a/b", "hf:a/b@main", "hf:a/b@refs/pr/1:c.gguf", "hf:a-1/b.c_d:e/f.gguf"])
def test_names_are_read_and_written(text):
    assert str(HubName.parse(text)) == text
