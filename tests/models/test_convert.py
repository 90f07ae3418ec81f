import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from tokenizers import Tokenizer

from models.checkpoint import load_model, save_model
from models.convert import convert, main
from models.errors import ModelError, OptionError
from models.formats import read_checkpoint
from models.quantise import quantise_model
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.formats.folders import config_json, masters, tokenizer_json, write_folder
from tests.models.formats.gguf_files import GGUF, fields_of, tensors_of, write_gguf
from tests.models.small import PLAIN, SMALL


@pytest.fixture
def source(tmp_path):
    folder = write_folder(tmp_path / "small", config_json(SMALL), masters(SMALL))
    (folder / "tokenizer.json").write_text(tokenizer_json({"a": 0}))
    return folder


def test_a_model_and_its_tokenizer_are_written(source, tmp_path, capsys):
    target = tmp_path / "out"
    main([str(source), "-o", str(target), "--json"])
    printed = json.loads(capsys.readouterr().out)
    model = load_model(target)
    assert model.config == SMALL
    assert printed["config"] == SMALL.to_json()
    assert printed["residual_fraction_bits"] == model.residual_fraction_bits
    assert printed["provenance"] == model.provenance
    assert printed["provenance"]["source"] == "small"
    assert printed["tokenizer"] is True and printed["chat"] is False
    assert printed["bytes"] == sum(path.stat().st_size for path in target.iterdir())
    assert (target / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    for layer, original in zip(model.layers, read_checkpoint(source).layers, strict=True):
        np.testing.assert_array_equal(layer.linears["k"].trits(), original.linears["k"].trits)


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_parts_make_the_bytes_of_the_whole(tmp_path, monkeypatch, config):
    """Written by layers and blocks of rows, or at once from memory; the command alone hashes the source."""
    source = write_folder(tmp_path / config.name, config_json(config), masters(config))
    save_model(quantise_model(read_checkpoint(source)), tmp_path / "whole")
    monkeypatch.setattr("models.formats.source._BLOCK_BYTES", 5 * 4 * config.hidden_size)
    convert(source, tmp_path / "parts")
    name = "model.safetensors"
    assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    parts, whole = (json.loads((tmp_path / folder / "model.json").read_text()) for folder in ("parts", "whole"))
    assert parts["provenance"].pop("sha256") == {name: sha256((source / name).read_bytes()).hexdigest()}
    assert parts == whole


def test_a_gguf_file_and_its_tokenizer_are_written(tmp_path, capsys):
    fields = fields_of(GGUF, "bitnet") | {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a", "b", "ab"], "tokenizer.ggml.merges": ["a b"],
        "tokenizer.chat_template": "{{ messages }}"}
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    path = write_gguf(tmp_path / "made.gguf", fields, tensors)
    main([str(path), "-o", str(tmp_path / "out"), "--json"])
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["provenance"]["format"] == "gguf"
    assert f"{path}: assumed activation relu2, by key heads and rope.freq_base" in err
    assert printed["tokenizer"] and printed["chat"]
    assert load_model(tmp_path / "out").config == GGUF
    assert Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")).encode("ab").ids == [2]


def test_an_activation_is_taken_for_a_file_that_does_not_tell(tmp_path, capsys):
    fields = fields_of(GGUF, "bitnet") | {"bitnet.rope.freq_base": 1e4}
    path = write_gguf(tmp_path / "made.gguf", fields, tensors_of(masters(GGUF), GGUF, Kind.TQ2_0))
    command = [str(path), "-o", str(tmp_path / "out")]
    with pytest.raises(ModelError, match="give --activation relu2 or --activation silu"):
        main(command)
    main([*command, "--activation", "silu"])
    assert load_model(tmp_path / "out").config.activation == "silu"
    assert "assumed" not in capsys.readouterr().err


def test_without_json_one_line_is_printed(source, tmp_path, capsys):
    (source / "tokenizer.json").unlink()
    main([str(source), "-o", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and "small" in out
    assert err.endswith("has no tokenizer: the model takes token ids, not text\n")


def test_the_command_refuses_in_one_line_and_writes_nothing(source, tmp_path):
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([sys.executable, "-m", "models.convert", source, "-o", tmp_path / "out"],
                          cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    assert "model.safetensors: expected a whole safetensors file" in done.stderr and "cut short" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_error_in_a_late_layer_leaves_nothing_behind(source, tmp_path):
    tensors = masters(SMALL)
    tensors["model.layers.1.mlp.up_proj.weight"][0, 0] = np.nan
    write_folder(source, config_json(SMALL), tensors)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match="up_proj.weight: expected finite numbers, found NaN or infinity"):
        main([str(source), "-o", str(tmp_path / "out")])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_target_with_other_files_is_refused_before_any_work(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ModelError, match="holds mine.txt"):
        main([str(tmp_path / "missing"), "-o", str(tmp_path)])


@pytest.mark.parametrize("name", ["file/out", "a" * 300, "/proc/none/out"])
def test_a_place_for_no_folder_is_told_before_any_work(source, tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be written"):
        main([str(tmp_path / "missing"), "-o", str(tmp_path / name)])


@needs_fixtures
def test_a_fixture_converts(tmp_path):
    main([str(FIXTURES / "llama_plain/hf_llama_packed_default"), "-o", str(tmp_path / "out")])
    assert not load_model(tmp_path / "out").config.tied_head
