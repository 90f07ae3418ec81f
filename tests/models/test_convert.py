import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.checkpoint import load_model
from models.convert import main
from models.formats import read_checkpoint
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.small import SMALL


@pytest.fixture
def source(tmp_path):
    folder = write_folder(tmp_path / "small", config_json(SMALL), masters(SMALL))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}}))
    return folder


def test_a_model_and_its_tokenizer_are_written(source, tmp_path, capsys):
    target = tmp_path / "out"
    assert main([str(source), "-o", str(target), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    model = load_model(target)
    assert model.config == SMALL
    assert printed["config"] == SMALL.to_json()
    assert printed["residual_fraction_bits"] == model.residual_fraction_bits
    assert printed["provenance"] == model.provenance
    assert printed["provenance"]["source"] == "small"
    assert printed["tokenizer"] is True
    assert printed["bytes"] == sum(path.stat().st_size for path in target.iterdir())
    assert (target / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    for layer, original in zip(model.layers, read_checkpoint(source).layers, strict=True):
        np.testing.assert_array_equal(layer.linears["k"].trits(), original.linears["k"].trits)


def test_without_json_one_line_is_printed(source, tmp_path, capsys):
    (source / "tokenizer.json").unlink()
    assert main([str(source), "-o", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and "small" in out
    assert err.endswith("has no tokenizer.json: the model takes token ids, not text\n")


def test_the_command_refuses_in_one_line_and_writes_nothing(source, tmp_path):
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([sys.executable, "-m", "models.convert", source, "-o", tmp_path / "out"],
                          cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "model.safetensors: expected a whole safetensors file" in done.stderr and "cut short" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_error_in_a_late_layer_leaves_nothing_behind(source, tmp_path, capsys):
    tensors = masters(SMALL)
    tensors["model.layers.1.mlp.up_proj.weight"][0, 0] = np.nan
    write_folder(source, config_json(SMALL), tensors)
    before = sorted(tmp_path.rglob("*"))
    assert main([str(source), "-o", str(tmp_path / "out")]) == 2
    assert "up_proj.weight: expected finite numbers, found NaN or infinity" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_target_with_other_files_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("")
    assert main([str(tmp_path / "missing"), "-o", str(tmp_path)]) == 2
    assert "holds mine.txt" in capsys.readouterr().err


@needs_fixtures
def test_a_fixture_converts(tmp_path):
    assert main([str(FIXTURES / "llama_plain/hf_llama_packed_default"), "-o", str(tmp_path / "out")]) == 0
    assert not load_model(tmp_path / "out").config.tied_head
