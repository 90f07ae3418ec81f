"""Fitted artefacts through the commands: what they change, and what is said of it."""

import io
import json
import sys

import numpy as np

import host.pipeline.__main__ as pipeline
from host import batch, chat, generate, score
from models.command import run_command
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
    assert "do not differ at layers [2, 3]" in line and not artefact.exists()


def test_saturations_are_said(capsys, texts, monkeypatch):
    assert run(generate, "-n", 2, "--json", capsys=capsys)["saturations"] == 0
    artefact = texts / "steer.safetensors"
    run(pipeline, *STEER, "--toward", texts / "austen.txt", "--away", texts / "scripture.txt", "-o", artefact, "--json",
        capsys=capsys)
    options = ["-n", "2", "--stage", f"{artefact}:1e8"]
    for command, given in ((generate, []), (batch, ["--prompt", "It was", "--prompt", "She"]), (chat, [])):
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
