"""The list of models: what it shows, for people and as JSON; what is removed; and every command by a short name."""

import json

import pytest

from host import bench, generate, models, score
from models.command import run_command
from models.store.converted import entries
from models.store.naming import model_folder
from tests.host.test_commands import refused, run
from tests.models.store.sources import folder_source, gguf_source


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sources(tmp_path):
    """Two converted models."""
    found = gguf_source(tmp_path / "a.gguf"), folder_source(tmp_path / "small", temperature=0.5)
    for path in found:
        model_folder(path)
    return found


def printed(*arguments, capsys):
    run_command(models.main, list(arguments))
    return capsys.readouterr().out.splitlines()


def test_the_list(sources, capsys):
    capsys.readouterr()
    lines = printed(capsys=capsys)
    assert lines[0].split() == ["name", "size", "shape", "licence", "used", "source"]
    assert [line.split()[0] for line in lines[1:]] == ["demo", "chat", "bilingual", "small", "tiny-talker"]
    assert "4 × 192, 2,048 words  Apache-2.0  –" in lines[3] and lines[4].split()[8:11] == ["mit", "just", "now"]
    assert "1 × 256, 6 words" in lines[5] and "not said" in lines[5] and lines[5].endswith("a.gguf")
    found = json.loads("".join(printed("--json", capsys=capsys)))["models"]
    assert [row["name"] for row in found] == ["demo", "chat", "bilingual", "small", "tiny-talker"]
    small = found[3]
    assert small["source"] == str(sources[1]) and small["license"] == "mit" and small["generation"] == {
        "temperature": 0.5}
    assert small["bytes"] > 0 and small["used"] >= small["converted"] and set(small["sha256"]) == {"model.safetensors"}
    assert set(found[0]) == set(small) and found[0]["key"] is None


def test_what_is_known_of_one(sources, capsys):
    capsys.readouterr()
    lines = printed("show", "small", capsys=capsys)
    assert "licence                   mit" in lines and "sampling                  temperature 0.5" in lines
    assert json.loads(printed("show", "--json", str(sources[0]), capsys=capsys)[0])["name"] == "tiny-talker"
    assert json.loads(printed("--json", "show", "demo", capsys=capsys)[0])["model"] == "tritloom-demo"
    assert any("assumed" not in line and "activation relu2" in line for line in
               printed("show", "tiny-talker", capsys=capsys)), "what was assumed"
    assert "no model folder at none" in refused(models, "show", "none", capsys=capsys)


def test_removal(sources, capsys):
    assert "demo comes with the project" in refused(models, "remove", "demo", capsys=capsys)
    assert "no converted model is called none" in refused(models, "remove", "small", "none", capsys=capsys)
    assert len(entries()) == 2
    assert printed("remove", "small", capsys=capsys)[0].startswith("removed small: ")
    assert set(json.loads(printed("remove", "tiny-talker", "--json", capsys=capsys)[0])["removed"]) == {"tiny-talker"}
    assert entries() == [] and all(path.exists() for path in sources)


def test_one_of_another_version_is_told_and_can_be_removed(sources, capsys):
    file = entries()[0].folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"config": {"experts": 8}}))
    run_command(models.main, [])
    out, err = capsys.readouterr()
    assert "tiny-talker" in out and "small" not in out and "note: small cannot be read, but removed: " in err
    assert printed("remove", "small", capsys=capsys)


def test_commands_take_any_name(sources, tmp_path, capsys):
    ids = ["--ids", "1,2,3", "--json"]
    for name in (sources[0], "tiny-talker", entries()[1].key[:8]):
        assert len(run(generate, "--model", name, *ids, "-n", 2, capsys=capsys)["ids"]) <= 2
        assert run(score, "--model", name, *ids, capsys=capsys)["tokens"]
    assert run(bench, "--model", sources[1], "--prompt-tokens", 2, "-n", 1, "--repeats", 1, "--json",
               capsys=capsys)["model"] == str(sources[1])
