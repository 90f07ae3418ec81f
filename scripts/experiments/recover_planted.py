"""Do the dictionaries find what was planted? `python -m scripts.experiments.recover_planted [--record]`.

The mean over planted directions of the largest cosine with one that was found, for several seeds, beside a random
dictionary and rows without structure. NumPy alone, no model. `--record` writes the table into docs/steering.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from host.pipeline.features.atomic_metric import AtomicMetric, atomic_metric
from host.pipeline.features.snmf import factorise
from host.pipeline.features.threshold_sae import fit_threshold_sae
from models.command import CommandParser, run_command
from models.markdown import markdown_table
from scripts.experiments.planted import best_matches, planted, random_directions, stretch
from scripts.marked_text import rewrite_marked

__all__ = ["main", "sae_row", "snmf_row"]

PAGE = Path(__file__).parents[2] / "docs" / "steering.md"
MARKS = "<!-- planted: written by scripts.experiments.recover_planted --record -->", "<!-- planted: end -->"


def snmf_row(active: int, seed: int) -> list[float]:
    """Cosines of what was found, of a random dictionary as sparse, and of what is found once each channel's values are
    shuffled over the rows."""
    true, rows = planted(24, 160, 1500, active=active, share=0.05, noise=0.05, seed=seed)
    random = np.random.default_rng([seed, 1])  # other than those that were planted
    shuffled = np.stack([random.permutation(channel) for channel in rows.T], axis=1)
    return [best_matches(true, found) for found in (
        factorise(rows, 24, seed=seed).directions, random_directions(24, 160, 0.05, random),
        factorise(shuffled, 24, seed=seed).directions)]


def sae_row(seed: int) -> list[float]:
    """Cosines under the corrected inner product: of what was found by it, of a random dictionary, and of what is found
    by the plain one."""
    true, rows = planted(48, 32, 6000, active=3, noise=0.02, seed=seed)
    true, rows = stretch(32) @ true, rows @ stretch(32)
    metric, scale = atomic_metric(rows), float(np.sqrt(rows.var(axis=0).mean()))
    plain = AtomicMetric(rows.mean(axis=0), np.eye(32) / scale, np.eye(32) * scale)
    null = stretch(32) @ random_directions(48, 32, 1.0, np.random.default_rng([seed, 1]))
    return [float(metric.cosines(true, found).max(axis=1).mean()) for found in (
        fit_threshold_sae(rows, 48, seed=seed).atoms, null, fit_threshold_sae(rows, 48, seed=seed, metric=plain).atoms)]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.recover_planted", description="Dictionaries on planted directions.")
    parser.add_argument("--seeds", type=int, default=3, help="of planting and fitting (default: 3)")
    parser.add_argument("--record", action="store_true", help="write the table into docs/steering.md")
    options = parser.parse_args(arguments)
    tried = [("SNMF, 24 directions of 8 in 160 channels, 2 in a row", lambda seed: snmf_row(2, seed), "shuffled rows"),
             ("the same, 5 in a row", lambda seed: snmf_row(5, seed), "shuffled rows"),
             ("threshold SAE, 48 atoms in 32 stretched channels, 3 in a row", sae_row, "plain inner product")]
    lines = []
    for name, row, third in tried:
        found = np.array([row(seed) for seed in range(options.seeds)])
        mean, lowest = found.mean(axis=0), found[:, 0].min()
        lines.append([name, f"{mean[0]:.2f} ({lowest:.2f})", f"{mean[1]:.2f}", f"{mean[2]:.2f} ({third})"])
    written = markdown_table(["planted", "found: mean (lowest)", "random dictionary", "null"], lines)
    print(written)
    if options.record:
        rewrite_marked(PAGE, *MARKS, lambda _: written)


if __name__ == "__main__":
    run_command(main)
