"""The audit of subspaces, as its command gives it."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.subspace import Subspace
from models.command import run_command
from tests.host.test_commands import refused, run


def options(texts, *more):
    return ["audit", "subspace", "--toward", texts / "scripture.txt", "--away", texts / "austen.txt",
            "--held-out-away", texts / "austen.txt", "--tokens", 200, *more]


def test_the_command_says_what_survives(texts, capsys):
    artefact = texts / "means.safetensors"
    run_command(pipeline.main, list(map(str, [
        "fit", "--kind", "steering", "--method", "difference-of-means", "--tokens", 64, "--toward",
        texts / "scripture.txt", "--away", texts / "austen.txt", "--layers", 2, "-o", artefact])))
    capsys.readouterr()
    found = run(pipeline, *options(texts, "--layers", 3, "--passages", 2, "--random", 1, "--stage", f"{artefact}:0.3",
                                   "--json"), capsys=capsys)
    rows = {row["direction"]: row for row in found["rows"]}
    assert list(rows) == ["difference of means", "patch-optimal", "SNMF feature", "planted illusion",
                          "random 1", "means.safetensors:0.3", "random, of the same norms"]
    assert rows["random 1"]["verdict"] == rows["random, of the same norms"]["verdict"] == "control"
    assert all(row["rank"] == 256 for row in rows.values()) and rows["random 1"]["channels"] == 768
    assert np.isclose(rows["planted illusion"]["share"], 0.5)
    assert rows["means.safetensors:0.3"]["whole"][0] > 10 * abs(rows["random 1"]["whole"][0])
    page = Subspace.page(found)
    assert "| layer 3, down | planted illusion | 256 of 768 | 50.0 % |" in page and "2 passages of 128 tokens" in page


@pytest.mark.parametrize("option, said", [(("--passages", 1), "--passages must be at least 2"),
                                          (("--layers", "9"), "--layers must lie within 0 .. 5"),
                                          (("--tokens", 4), "--tokens must be more than 8")])
def test_bad_options_are_one_line(texts, capsys, option, said):
    assert said in refused(pipeline, *options(texts, *option), capsys=capsys)
