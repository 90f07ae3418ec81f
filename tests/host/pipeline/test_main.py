"""Fitted artefacts through the commands: what they change, and what is said of it."""

import io
import json
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

import host.pipeline.__main__ as pipeline
from host import batch, chat, generate, score
from models.checkpoint import load_model
from models.command import run_command
from models.model_hash import model_hash
from tests.host.test_commands import refused, run

TEAL = ("fit", "--kind", "sparsity", "--method", "teal")
STEER = ("fit", "--kind", "steering", "--method", "difference-of-means")


def test_thresholds_raise_the_sparsity(capsys, texts):
    artefact = texts / "teal.safetensors"
    run(pipeline, *TEAL, "--sparsity", 0.5, "--text", texts / "austen.txt", "-o", artefact, "--json", capsys=capsys)
    plain = run(score, "--text", texts / "austen.txt", "--json", capsys=capsys)
    sparse = run(score, "--text", texts / "austen.txt", "--stage", artefact, "--json", capsys=capsys)
    assert sparse["sparsity"] > plain["sparsity"] + 0.05
    assert sparse["perplexity"] != plain["perplexity"]


def test_two_vectors_act_together(capsys, texts):
    artefact = texts / "steer.safetensors"
    run(pipeline, *STEER, "--toward", texts / "austen.txt", "--away", texts / "scripture.txt", "-o", artefact, "--json",
        capsys=capsys)
    options = ["-n", 8, "--temperature", 0, "--json"]
    found = {strengths: run(generate, *options, *(part for s in strengths for part in ("--stage", f"{artefact}:{s}")),
                            capsys=capsys)["ids"] for strengths in ((), (2,), (-1, -1), (1, 1), (2, -2))}
    assert found[1, 1] == found[2,] != found[()] == found[2, -2] != found[-1, -1] != found[2,]


def test_a_text_has_no_direction_to_itself(capsys, texts):
    artefact = texts / "steer.safetensors"
    line = refused(pipeline, *STEER, "--toward", texts / "austen.txt", "--away", texts / "austen.txt", "-o", artefact,
                   capsys=capsys)
    assert "do not differ" in line and not artefact.exists()


def test_saturations_are_said(capsys, texts, monkeypatch):
    assert run(generate, "-n", 2, "--json", capsys=capsys)["saturations"] == 0
    artefact = texts / "steer.safetensors"
    run(pipeline, *STEER, "--toward", texts / "austen.txt", "--away", texts / "scripture.txt", "-o", artefact, "--json",
        capsys=capsys)
    options = ["-n", "2", "--stage", f"{artefact}:1e8"]
    for command, given in ((generate, []), (batch, ["--prompt", "It was", "--prompt", "She"]),
                           (chat, ["--model", "demo"])):
        monkeypatch.setattr(sys, "stdin", io.StringIO("It was\n"))
        run_command(command.main, [*options, *given, "--json"])
        out, err = capsys.readouterr()
        count = json.loads(out)["saturations"]
        assert count > 100 and f"note: {count} numbers of the residual saturated" in err
        monkeypatch.setattr(sys, "stdin", io.StringIO("It was\n"))
        run_command(command.main, [*options, *given])
        assert "numbers of the residual saturated" in capsys.readouterr().err


def test_steering_at_strength_zero_changes_no_bit(capsys, texts):
    artefact = texts / "steer.safetensors"
    run(pipeline, *STEER, "--toward", texts / "austen.txt", "--away", texts / "scripture.txt", "-o", artefact, "--json",
        capsys=capsys)
    outputs = {}
    for name, option in (("plain", []), ("zero", ["--stage", f"{artefact}:0"]), ("one", ["--stage", f"{artefact}:1"])):
        run(score, "--ids", "5,6,7,8", "--logits", texts / f"{name}.npy", "--json", *option, capsys=capsys)
        outputs[name] = np.load(texts / f"{name}.npy")
    assert (outputs["plain"] == outputs["zero"]).all()
    assert (outputs["plain"] != outputs["one"]).any()


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """A folder with texts, and thresholds and a vector for the shipped model."""
    folder = tmp_path_factory.mktemp("artefacts")
    (folder / "austen.txt").write_text("It is a truth universally acknowledged, that a single man in possession. " * 4)
    (folder / "scripture.txt").write_text("And the LORD spake unto Moses, saying, Speak unto the children. " * 4)
    text = folder / "austen.txt"
    for arguments in ([*TEAL, "--sparsity", 0.5, "--tokens", 64, "--text", text, "-o", folder / "teal"],
                      [*STEER, "--toward", text, "--away", folder / "scripture.txt", "--tokens", 128, "-o",
                       folder / "vector"]):
        run_command(pipeline.main, list(map(str, arguments)))
    return folder


def test_list_names_methods_and_their_options(capsys):
    rows = {row["method"]: row for row in run(pipeline, "list", "--json", capsys=capsys)["methods"]}
    assert rows["teal"]["options"].keys() == {"sparsity", "sites", "text", "tokens", "cett", "ppl"}
    assert rows["teal"]["order"] == "mask"
    assert rows["teal"]["options"]["text"]["required"] and rows["teal"]["options"]["tokens"]["default"] == 4096
    assert rows["difference-of-means"]["sites"] == ["residual"]
    assert not rows["rmsnorm"]["fitted"] and rows["rmsnorm"]["options"] == {}
    run_command(pipeline.main, ["list"])
    assert "sparsity by teal, at qkv, o, gate_up, down\n" in capsys.readouterr().out


def test_show_says_how_and_on_what_it_was_fitted(artefacts, capsys):
    found = run(pipeline, "show", artefacts / "vector", "--json", capsys=capsys)
    model = load_model("demo")
    assert found["model"] == model_hash(model) and found["version"] == "1"
    assert (found["kind"], found["method"], found["sites"]) == ("steering", "difference-of-means", ["residual"])
    assert found["fit"] == {"toward": "austen.txt", "away": "scripture.txt", "layers": [2, 3], "tokens": 128}
    vectors = load_file(artefacts / "vector")["vectors"]
    assert found["tensors"]["vectors"] == {"shape": list(vectors.shape), "min": vectors.min(), "max": vectors.max(),
                                           "mean": pytest.approx(vectors.mean(dtype=np.float64))}
    run_command(pipeline.main, ["show", str(artefacts / "teal")])
    assert "sites      qkv, o, gate_up, down\n" in capsys.readouterr().out


def test_report_says_where_each_runs_and_what_they_change(artefacts, capsys):
    given = ["--stage", artefacts / "teal", "--stage", f"{artefacts / 'vector'}:0.2"]
    scored = run(score, "--text", artefacts / "austen.txt", *given, "--json", capsys=capsys)
    plain = run(score, "--text", artefacts / "austen.txt", "--json", capsys=capsys)
    found = run(pipeline, "report", *given, "--text", artefacts / "austen.txt", "--json", capsys=capsys)
    assert found["stages"] == scored["stages"] and plain["stages"] == []
    assert [row["runs"] for row in found["stages"]] == ["fabric"] * 2 and found["cuts"] == 0
    assert [row["strength"] for row in found["stages"]] == [1, 0.2]
    assert found["stages"][1]["sites"] == ["residual"] and found["stages"][1]["points"] == 2
    for what, expected in (("plain", plain), ("with_stages", scored)):
        assert {name: found[what][name] for name in found[what]} == {name: expected[name] for name in found[what]}
    cut = run(pipeline, "report", *given, "--place", "cpu", "--json", capsys=capsys)
    assert [(row["runs"], row["cuts"]) for row in cut["stages"]] == [("cpu", row["points"]) for row in cut["stages"]]
    # the residual behind each of two layers and the input of the next share a stop
    assert cut["cuts"] == sum(row["points"] for row in cut["stages"]) - 2 > 0
    run_command(pipeline.main, ["report", *map(str, given)])
    assert "teal: sparsity by teal at qkv, o, gate_up, down: " in capsys.readouterr().out


def test_a_stop_gives_the_bits_of_a_tap(artefacts, capsys):
    given = ["--stage", artefacts / "teal", "--stage", f"{artefacts / 'vector'}:0.2"]
    found = {}
    for place in ("fabric", "cpu"):
        scored = run(score, "--text", artefacts / "austen.txt", *given, "--place", place, "--json", capsys=capsys)
        made = run(generate, *given, "--place", place, "-n", "5", "--json", capsys=capsys)
        found[place] = scored["nll"], scored["tokens"], made["ids"]
        assert {row["runs"] for row in scored["stages"]} == {place}
    assert found["fabric"] == found["cpu"]


@pytest.mark.parametrize("arguments, message", [
    (["fit", "--kind", "sparsity", "--method", "teel", "-o", "x"], "unknown sparsity method 'teel'; known: chess, "),
    (["fit", "--kind", "sparsity", "--method", "difference-of-means", "-o", "x"], "unknown sparsity method"),
    (["fit", "--kind", "normalisation", "--method", "rmsnorm", "-o", "x"], "rmsnorm has nothing to fit"),
    ([*TEAL, "-o", "x"], "sparsity by teal needs --text: text to fit on"),
    ([*TEAL, "-o", "x", "--text", "x", "--layers", "1"], "--layers is no option of sparsity by teal"),
    ([*TEAL, "-o", "x", "--text", "x", "--tokens", "1.5"], "--tokens: invalid int value: '1.5'"),
    ([*TEAL, "-o", "x", "--text", "x", "--sparsity", "much"], "--sparsity: invalid float value: 'much'"),
    ([*STEER, "-o", "x", "--toward", "x"], "steering by difference-of-means needs --away"),
    (["show", "no/such/file"], "cannot read artefact no/such/file"), (["report"], "report needs at least one --stage"),
    (["fit"], "the following arguments are required: --kind, --method")])
def test_what_makes_no_sense_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(pipeline, *arguments, capsys=capsys)
    assert not list(tmp_path.iterdir())
