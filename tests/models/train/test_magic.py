"""The command from text to a converted model that lists its control tokens, and its complaints."""

import json

import pytest

from host import generate
from models.checkpoint import load_control_tokens
from models.config import ModelConfig
from models.convert import convert
from models.train.magic import main
from tests.host.test_commands import refused as refused_by
from tests.host.test_commands import run
from tests.models.train.test_main import refused

TINY = "--steps 2 --batch 2 --window 8 --threads 1"


@pytest.fixture
def manners(tmp_path, text):
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.txt").write_text(f"{name}: {text}", encoding="utf-8")
    return ["--manner", f"first={tmp_path}/one.txt,{tmp_path}/two.txt", "--manner", f"second={tmp_path}/three.txt"]


def test_text_to_a_model_that_takes_tokens(tmp_path, network, tokenizer, manners, capsys):
    pytest.importorskip("torch")
    from models.train.export import export

    export(network, tokenizer, tmp_path / "start")
    convert(tmp_path / "start", tmp_path / "initial")
    main([*manners, "--initial", str(tmp_path / "initial"), "-o", str(tmp_path / "told"), "--untrained", "none",
          *TINY.split()])
    assert "control tokens: first 280, second 281, none 282" in capsys.readouterr().out
    assert (tmp_path / "told" / "checkpoint.pt").exists()
    convert(tmp_path / "told", tmp_path / "model")
    assert load_control_tokens(tmp_path / "model") == {"first": 280, "second": 281, "none": 282}
    assert load_control_tokens(tmp_path / "initial") == {}
    data = json.loads((tmp_path / "model" / "model.json").read_text())
    assert ModelConfig.from_json(data["config"]).context == 32, "windows of training do not shorten it"
    told = run(generate, "--model", tmp_path / "model", "--prompt", "It was", "--magic", "second", "-n", 3, "--json",
               capsys=capsys)
    assert told["prompt_ids"][0] == 281 and len(told["prompt_ids"]) > 1
    line = refused_by(generate, "--model", tmp_path / "model", "--magic", "third", capsys=capsys)
    assert "no control token 'third': it has first, second, none" in line
    (tmp_path / "told" / "magic.json").write_text('{"first": 283}')
    with pytest.raises(Exception, match="magic.json: magic: expected an object from names to ids below 283"):
        convert(tmp_path / "told", tmp_path / "model")


@pytest.mark.parametrize("arguments, complaint", [
    (["--manner", "first=a.txt"], "--manner takes NAME=FILE[,FILE], each name once, got 'first=a.txt'"),
    (["--manner", "third"], "--manner takes NAME=FILE"), (["--manner", "=a.txt"], "--manner takes NAME=FILE"),
    (["--plain", "2"], "--plain must lie between 0 and 1"), (["--switching", "-1"], "--switching must lie between"),
    (["--hazard", "0"], "--hazard must lie between 0 and 1"), (["--window", "4"], "--window must be at least 8"),
    (["--threads", "0"], "--threads must be at least 1"), (["--steps", "0"], "steps is 0"),
])
def test_complaints(capsys, manners, tmp_path, arguments, complaint):
    assert complaint in refused(capsys, main, *manners, *arguments, "-o", tmp_path / "told")


def test_one_manner_is_none(capsys, manners, tmp_path):
    assert "at least twice" in refused(capsys, main, *manners[:2], "-o", tmp_path / "told")
