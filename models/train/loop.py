"""The training loop: schedule, checkpoints, log. A step's result depends on seed and step alone."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ModelError
from models.train.corpus import SEED_STRIDE, Sampler
from models.train.network import BitNet, spread
from models.train.optimiser import build_optimisers
from models.train.recipe import Recipe

__all__ = ["restore", "train"]

SMOOTHING = 0.98


def restore(network: BitNet, path: Path, optimisers: Sequence[torch.optim.Optimizer] = ()) -> int:
    """Restores a run in place and returns the step to go on with."""
    try:
        state = torch.load(path, weights_only=True)
        network.load_state_dict(state["network"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=bool(optimisers)):
            optimiser.load_state_dict(saved)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: no checkpoint of this run: {str(error).splitlines()[0]}") from None
    return state["step"]


def _save(network: BitNet, optimisers: Sequence[torch.optim.Optimizer], step: int, path: Path) -> None:
    """Replaces the checkpoint in one move, so that a run cut short leaves a whole one."""
    state = {"step": step, "network": network.state_dict()}
    state["optimisers"] = [optimiser.state_dict() for optimiser in optimisers]
    partial = path.with_suffix(".tmp")
    torch.save(state, partial)
    partial.replace(path)


def train(
    network: BitNet,
    sampler: Sampler,
    recipe: Recipe,
    checkpoint: Path,
    saved: Callable[[], str],
    resume: bool = False,
    compiled: bool = False,
) -> float:
    """Trains in place and returns the seconds it took.

    The checkpoint is written every `save_every` steps and at the end; then `saved` is called, which may
    export or score the network, and its answer goes to the log on standard error.
    """
    optimisers = build_optimisers(network, recipe.lr, recipe.weight_decay, recipe.embedding_lr, network.dtype)
    first = restore(network, checkpoint, optimisers) if resume else 0

    def losses_of(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, products = network.forward_products(inputs)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), spread(products) if recipe.l1 else None

    compute = torch.compile(losses_of) if compiled else losses_of
    network.train()
    begin, smooth, weight = time.monotonic(), 0.0, 0.0
    for step in range(first, recipe.steps):
        torch.manual_seed(recipe.seed * SEED_STRIDE + step)
        loss, spreading = compute(*sampler(step))
        (loss if spreading is None else loss + recipe.l1_factor(step) * spreading).backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * recipe.rate(step)
            optimiser.step()
            optimiser.zero_grad()
        smooth = SMOOTHING * smooth + (1 - SMOOTHING) * loss.item()
        weight = SMOOTHING * weight + (1 - SMOOTHING)

        done = step + 1
        if done % recipe.log_every == 0:
            pace = (time.monotonic() - begin) / (done - first)
            left = pace * (recipe.steps - done) / 60
            line = f"step {done}/{recipe.steps}  loss {smooth / weight:.4f}  rate {recipe.rate(step):.3f}"
            if spreading is not None:
                line += f"  spread {spreading.item():.4f} times {recipe.l1_factor(step):.3f}"
            print(f"{line}  {pace:.2f} s/step  {left:.0f} min left", file=sys.stderr, flush=True)
        if done % recipe.save_every == 0 or done == recipe.steps:
            _save(network, optimisers, done, checkpoint)
            print(f"step {done}  {saved()}", file=sys.stderr, flush=True)
    return time.monotonic() - begin
