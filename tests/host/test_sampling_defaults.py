"""A model's own defaults of sampling: taken where nobody asks otherwise, by every command, and told."""

import io
import json

import pytest

import host.batch
import host.chat
import host.generate
import tritloom
from models.checkpoint import load_model
from models.command import run_command
from tests.host.test_commands import run


@pytest.fixture
def greedy(tmp_path):
    """The shipped model as if its makers wanted no draws."""
    folder = tmp_path / "greedy"
    folder.mkdir()
    for path in load_model("demo").folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    made = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(made | {"generation": {"temperature": 0.0, "top_k": 5}}))
    return folder


def test_generate_takes_them_and_options_override(greedy, capsys):
    run_command(host.generate.main, ["--model", str(greedy), "-n", "12", "--json"])
    out, err = capsys.readouterr()
    plain = ["-n", 12, "--json"]
    ids = json.loads(out)["ids"]
    assert ids == run(host.generate, "--temperature", 0, *plain, capsys=capsys)["ids"]
    assert ids != run(host.generate, *plain, capsys=capsys)["ids"]
    assert err == "note: temperature 0, top k 5: the model's own; options override that\n"
    asked = ["--temperature", 0.7, *plain]
    run_command(host.generate.main, ["--model", str(greedy), *map(str, asked)])
    out, err = capsys.readouterr()
    assert err == "note: top k 5: the model's own; options override that\n"
    assert json.loads(out)["ids"] == run(host.generate, "--top-k", 5, *asked, capsys=capsys)["ids"]
    asked += ["--top-k", 0]
    assert run(host.generate, "--model", greedy, *asked, capsys=capsys)["ids"] == run(
        host.generate, *asked, capsys=capsys)["ids"]


def test_batch_and_chat_take_them(greedy, capsys, monkeypatch):
    prompts = ["--prompt", "It was a truth", "-n", 8, "--json"]
    batches = [run(host.batch, *options, *prompts, capsys=capsys)["results"]
               for options in (["--model", greedy], ["--temperature", 0], [])]
    assert batches[0] == batches[1] != batches[2]

    def answer(*options):
        monkeypatch.setattr("sys.stdin", io.StringIO("It was a truth\n"))
        return run(host.chat, *options, "-n", 8, "--json", capsys=capsys)["ids"]

    shipped = ("--model", "demo")
    assert answer("--model", greedy) == answer(*shipped, "--temperature", 0) != answer(*shipped)


def test_a_head_by_itself_is_a_shortlist_where_the_model_is_greedy(greedy):
    from host.command_line import chosen_head, open_model
    options = host.generate.parser().parse_args(["--model", str(greedy)])
    open_model(options)
    options.device = "rtl"
    assert options.temperature == 0 and chosen_head(options, 1 << 17) == "shortlist"


def test_the_library_takes_them(greedy, capsys):
    with tritloom.load(greedy, n=12) as model, tritloom.load(n=12) as other:
        assert (model.defaults.temperature, model.defaults.top_k, model.defaults.n) == (0.0, 5, 12)
        text = other.generate("It was", do_sample=False)
        assert model.generate("It was") == text != other.generate("It was")
        assert model.generate("It was", do_sample=True, top_k=0) == other.generate("It was")
        assert model.chat()("It was", n=12) == other.chat()("It was", n=12, temperature=0)
    with tritloom.load(greedy, temperature=0.5) as model:
        assert (model.defaults.temperature, model.defaults.top_k) == (0.5, 5)
    assert capsys.readouterr().err == ""
