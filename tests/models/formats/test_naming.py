import shutil

import pytest

from models.formats import read_checkpoint
from models.formats.naming import chosen_name, source_name
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.formats.gguf_files import GGUF, fields_of, tensors_of, write_gguf
from tests.models.small import SMALL


def cached(folder, repository):
    """A snapshot as the hub's cache keeps it: links into blobs."""
    place = folder / f"models--{repository.replace('/', '--')}"
    snapshot, blobs = place / "snapshots" / "0c1d2e3f", place / "blobs"
    snapshot.mkdir(parents=True)
    shutil.move(write_folder(folder / "made", config_json(SMALL), masters(SMALL)), blobs)
    for number, path in enumerate(sorted(blobs.iterdir())):
        path.rename(blobs / f"{number:08}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:08}")
    return snapshot


@pytest.mark.parametrize(("repository", "name"), [
    ("someone/tiny-ternary", "tiny-ternary"), ("some--one/tiny", "one--tiny"), ("tiny", "tiny")])
def test_a_model_in_the_hubs_cache_has_its_repositorys_name(tmp_path, monkeypatch, repository, name):
    snapshot = cached(tmp_path, repository)
    model = read_checkpoint(snapshot)
    assert model.config.name == name and model.provenance["source"] == name
    (tmp_path / "latest").symlink_to(snapshot)
    assert read_checkpoint(tmp_path / "latest").config.name == name
    monkeypatch.chdir(snapshot)
    assert read_checkpoint(type(snapshot)(".")).config.name == name


def test_a_folder_has_the_name_that_it_has_on_disk(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "bitnet-tiny", config_json(SMALL, _name_or_path="/home/x/elsewhere"),
                          masters(SMALL))
    (tmp_path / "current").symlink_to("bitnet-tiny")
    monkeypatch.chdir(folder)
    for path in (folder, ".", "../bitnet-tiny/", "../bitnet-tiny/../current", tmp_path / "current"):
        assert read_checkpoint(type(folder)(path)).config.name == "bitnet-tiny"


def test_a_file_is_called_by_its_metadata_else_by_its_own_name(tmp_path):
    fields, tensors = fields_of(GGUF, "bitnet"), tensors_of(masters(GGUF), GGUF, 0)
    for changes, expected in ([{"general.name": "Tiny\tTernary "}, "Tiny Ternary"], [{"general.name": ""}, "ggml-i2_s"],
                              [{"general.name": " ", "general.basename": "tiny"}, "tiny"]):
        path = write_gguf(tmp_path / "ggml-i2_s.gguf", fields | changes, tensors)
        assert read_checkpoint(path).config.name == expected
    blob = path.rename(tmp_path / "sha256-5d1b0f3c8a")
    write_gguf(blob, {name: value for name, value in fields.items() if name != "general.name"}, tensors)
    assert read_checkpoint(blob).config.name == "sha256-5d1b0f3c8a"
    path.symlink_to(blob)
    assert read_checkpoint(path).config.name == "ggml-i2_s"


def test_names_without_anything_in_them(tmp_path):
    assert source_name(tmp_path / "/") == ""
    assert chosen_name(["", None, 3, " \n", "a\nb"]) == "a b"
    assert chosen_name([""]) == "model"
    assert len(chosen_name(["x" * 1000])) == 200
