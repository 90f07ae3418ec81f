"""Variants are trained once, scored behind their stages, and compared seed by seed."""

import pytest

from scripts.experiments import compare_variants
from scripts.experiments.compare_variants import Cost, Run, activation_table, norm_table
from tests.host.test_commands import refused

TINY = {"vocab": 270, "hidden": 64, "ffn": 64, "layers": 1, "heads": 1, "kv-heads": 1, "context": 24}
RUNS = [Run("relu2", 0, 4.0, 0.8), Run("seednorm", 0, 3.9, 0.7), Run("silu", 0, 4.3, 0.1),
        Run("relu2", 1, 4.2, 0.6), Run("seednorm", 1, 4.0, 0.7), Run("silu", 1, 4.3, 0.3)]
COSTS = {"relu2": Cost(0, 1.0), "seednorm": Cost(12, 0.25), "silu": Cost(0, 0.98)}


def test_differences_are_paired_by_seed(monkeypatch):
    monkeypatch.setattr(compare_variants, "VARIANTS", dict.fromkeys(COSTS))
    assert norm_table(RUNS, COSTS).splitlines()[2:] == ["| RMSNorm | 4.100 ± 0.141 | – | 0 | 1.00 |",
                                                        "| SeeDNorm | 3.950 ± 0.071 | -0.150 ± 0.050 | 12 | 0.25 |"]
    assert activation_table(RUNS, COSTS).splitlines()[2:] == [
        "| `relu2` | 4.100 ± 0.141 | – | 70% | 0 | 1.00 |",
        "| `silu` | 4.300 ± 0.000 | +0.200 ± 0.100 | 20% | 0 | 0.98 |"]


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Two variants of a tiny shape, texts, a document."""
    monkeypatch.setattr(compare_variants, "SHAPE", TINY)
    monkeypatch.setattr(compare_variants, "VARIANTS", {name: compare_variants.VARIANTS[name] for name in
                                                       ("relu2", "seednorm", "ash")})
    text = "It was the best of walks, and she said that it was little.\nAnd the king spake unto them.\n"
    for name in (*compare_variants.TEXTS, compare_variants.HELD_OUT):
        (tmp_path / f"{name}.txt").write_text(text * 30)
    document = tmp_path / "normalisation.md"
    document.write_text("".join(f"{mark}\n<!-- {mark}: {compare_variants._WRITER} -->\n<!-- {mark}: end -->\n"
                                for mark in ("norms", "activations")))
    monkeypatch.setattr(compare_variants, "_DOCUMENT", document)
    return tmp_path


def test_trained_scored_and_recorded_once(few, monkeypatch, capsys):
    pytest.importorskip("torch")
    command = ["--data", few, "-o", few / "out", "--steps", 1, "--batch", 2, "--seeds", 3, 4, "--scored", 30]
    compare_variants.main([*map(str, command), "--record"])
    recorded = (few / "normalisation.md").read_text()
    assert "1 steps of 2 windows of two novels, seeds 3, 4." in recorded
    assert {line.split(" | ")[0] for line in recorded.splitlines()} >= {"| RMSNorm", "| SeeDNorm", "| `ash`"}
    assert (few / "out" / "ash-4" / "stage.safetensors").exists()
    assert not (few / "out" / "relu2-4" / "stage.safetensors").exists()
    monkeypatch.setattr(compare_variants, "train", lambda arguments: pytest.fail("it was trained again"))
    capsys.readouterr()
    compare_variants.main(list(map(str, command)))
    first = [line.split(" | ")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("| RMSNorm")]
    assert first == [line.split(" | ")[1] for line in recorded.splitlines() if line.startswith("| RMSNorm")]
    command[command.index("--steps") + 1] = 2
    assert "relu2-3 was made with other options: give another folder" in refused(compare_variants, *command,
                                                                                 capsys=capsys)


def test_one_seed_has_no_spread(few, capsys):
    assert "a spread needs at least two seeds" in refused(compare_variants, "--data", few, "-o", few, "--seeds", 1,
                                                          capsys=capsys)
