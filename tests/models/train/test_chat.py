"""The command from a novel to a converted model that answers in turns, and its complaints."""

import pytest

from host import generate
from host.chat_template import load_chat_template
from models.convert import convert
from models.train.chat import main
from tests.host.test_commands import run
from tests.models.train.test_main import refused

NOVEL = '"It was the end," said he. "Was it?"\n\n"It was."\n\n"And then?"\n\n"Nothing."\n\nHe left.\n\n'


@pytest.fixture
def novel(tmp_path):
    (tmp_path / "novel.txt").write_text(NOVEL * 3, encoding="utf-8")
    return tmp_path / "novel.txt"


def test_a_novel_to_a_model_with_a_template(tmp_path, network, tokenizer, novel, capsys):
    pytest.importorskip("torch")
    from models.train.export import export

    export(network, tokenizer, tmp_path / "start")
    convert(tmp_path / "start", tmp_path / "initial")
    (tmp_path / "other.txt").write_text(NOVEL, encoding="utf-8")
    main(["--text", str(novel), "--hold-out", str(tmp_path / "other.txt"), "--initial", str(tmp_path / "initial"),
          "-o", str(tmp_path / "told"), *"--steps 2 --batch 2 --window 16 --threads 1 --dtype float32".split()])
    out = capsys.readouterr().out
    assert "3 dialogues, 9 conversations; 1 dialogues held out" in out
    assert out.count("held-out answers: ") == 2 and "before training, held-out" in out
    convert(tmp_path / "told", tmp_path / "model")
    template = load_chat_template(tmp_path / "model")
    prompt = template.render([{"role": "user", "content": "Was it?"}])
    assert prompt == "<|endoftext|><|turn|>Was it?<|turn|>"
    said = run(generate, "--model", tmp_path / "model", "--prompt", prompt, "-n", 2, "--json", capsys=capsys)
    assert [said["prompt_ids"][at] for at in (0, 1, -1)] == [0, 280, 280]


@pytest.mark.parametrize("arguments, complaint", [
    (["--hold-out", "novel.txt"], "is both trained on and held out"),
    (["--window", "4"], "--window must be at least 8"),
    (["--threads", "0"], "--threads must be at least 1"), (["--steps", "0"], "steps is 0"),
    (["--text", "no/such/file"], "cannot read no/such/file")])
def test_complaints(capsys, novel, monkeypatch, tmp_path, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    assert complaint in refused(capsys, main, "--text", "novel.txt", *arguments, "-o", tmp_path / "told")
