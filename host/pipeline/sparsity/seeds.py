"""The seed of what is drawn at random: an option, a tensor [layers] of whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.fitting import FitOption
from host.pipeline.sparsity.hashed import MOST_SEED
from models.errors import ArtefactError, OptionError

__all__ = ["SEED", "check_seeds", "seed_of"]

SEED = FitOption(int, 0, f"seed, 0 to {MOST_SEED}")


def seed_of(options: Mapping[str, object]) -> int:
    """The option's value; `OptionError` where an artefact cannot hold it."""
    seed = options.get("seed", 0)
    if not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
        raise OptionError(f"--seed must lie between 0 and {MOST_SEED}, got {seed}")
    return seed


def check_seeds(seeds: np.ndarray) -> None:
    """`ArtefactError` for what is no seed."""
    wrong = seeds[(seeds < 0) | (seeds > MOST_SEED) | (seeds != np.rint(seeds))]
    if wrong.size:
        raise ArtefactError(f"tensor seeds: expected whole numbers from 0 to {MOST_SEED}, found {wrong[0]}")
