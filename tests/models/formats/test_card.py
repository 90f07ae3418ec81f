"""Licence and defaults of sampling as checkpoints state them, and both in what is converted."""

import json

import pytest
from gguf.constants import GGMLQuantizationType as Kind

from models.checkpoint import load_generation, load_model
from models.convert import convert, report
from models.formats.card import Card, card_of_folder, card_of_gguf
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.formats.gguf_files import GGUF, fields_of, tensors_of, write_gguf
from tests.models.small import SMALL


@pytest.mark.parametrize(("name", "text", "licence"), [
    ("README.md", "---\nlanguage: en\nlicense: mit\ntags:\n- x\n---\nlicense: gpl\n", "mit"),
    ("README.md", "---\r\nlicense: 'apache-2.0'  # so\r\n---\r\n", "apache-2.0"),
    ("README.md", "---\nlicense: other\nlicense_name: falcon-llm-license\n---\n", "falcon-llm-license"),
    ("README.md", "---\nlicense: mit\nlicense_name: mit-too\n---\n", "mit"), ("README.md", "---\nlicense: other\n---\n",
                                                                              "other"),
    ("README.md", "license: mit\n", None), ("README.md", "---\nlicense:\ntags: x\n---\n", None),
    ("README.md", b"\xff\xfe\0", None), ("LICENSE", "", None), ("LICENSE", "\n  MIT  License\n\nCopyright",
                                                                    "MIT License"),
    ("README.md", f"---\nlicense: {'x' * 500}\n---\n", "x" * 80)])
def test_the_licence_of_a_folder(tmp_path, name, text, licence):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert card_of_folder(tmp_path) == Card(licence)


def test_the_licence_of_a_gguf_file():
    assert card_of_gguf({"general.license": "mit", "general.license.name": "MIT License"}).license == "mit"
    assert card_of_gguf({"general.license": "other", "general.license.name": "Mine"}).license == "Mine"
    assert card_of_gguf({"general.license": 5}).license is card_of_gguf({}).license is None


def test_a_folder_converts_with_its_card(tmp_path):
    source = write_folder(tmp_path / "small", config_json(SMALL), masters(SMALL))
    (source / "README.md").write_text("---\nlicense: mit\n---\n")
    (source / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 7}))
    convert(source, tmp_path / "out")
    assert load_generation(tmp_path / "out") == report(tmp_path / "out")["generation"] == {"temperature": 0.6}
    assert load_model(tmp_path / "out").provenance["license"] == "mit"
    assert report(tmp_path / "out")["notes"][0] == "the default top_p is left out: no sampler takes 7"


def test_a_gguf_file_converts_with_its_card(tmp_path):
    fields = fields_of(GGUF, "bitnet") | {"general.license": "mit", "general.sampling.temp": 0.25}
    path = write_gguf(tmp_path / "made.gguf", fields, tensors_of(masters(GGUF), GGUF, Kind.TQ2_0))
    convert(path, tmp_path / "out")
    made = report(tmp_path / "out")
    assert made["generation"] == {"temperature": 0.25} and made["provenance"]["license"] == "mit"
    assert "generation" not in json.loads((load_model("demo").folder / "model.json").read_text())
