"""One steering condition on the emulator: what it writes after prompts, and what held-out text costs under it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import place
from host.pipeline.site import Point
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.runtime import Session, Top
from host.sampler import Sampler
from host.scoring import negative_log_likelihood
from hw.boards.registry import board_build
from models.checkpoint import Model
from models.golden.head import top_k
from models.golden.tap import Tap
from models.machine.build import CPU
from scripts.experiments.steering.lockstep import Lockstep

__all__ = ["continuations", "control_vectors", "perplexity"]

TEMPERATURE, TOP_P = 0.7, 0.95  # the defaults of host.generate


def control_vectors(states: Mapping[str, np.ndarray], fitted: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """A label-shuffled and a random vector, float [layers, hidden], of the fitted one's norm at every layer.

    states: residuals [layers, tokens, hidden] of the two manners. Shuffled: difference of means after the labels
    of all tokens were permuted. Random: one Gaussian direction for all layers, so that the layers' additions
    pull together as those of the fitted vector do.
    """
    draw = np.random.default_rng(seed)
    pooled = np.concatenate(list(states.values()), axis=1)
    sizes = [part.shape[1] for part in states.values()]
    order = draw.permutation(sum(sizes))
    shuffled = pooled[:, order[:sizes[0]]].mean(axis=1) - pooled[:, order[sizes[0]:]].mean(axis=1)
    random = np.broadcast_to(draw.standard_normal(fitted.shape[1]), fitted.shape)
    norms = np.linalg.norm(fitted, axis=1, keepdims=True)
    return {kind: vector * norms / np.linalg.norm(vector, axis=1, keepdims=True)
            for kind, vector in (("shuffled", shuffled), ("random", random))}


def continuations(model: Model, vectors: np.ndarray | None, prompts: np.ndarray, count: int) -> list[list[int]]:
    """Up to `count` ids after each prompt, ids [prompts, tokens]; prompt i is sampled with seed i.

    vectors: float [layers, hidden], strength included; None leaves the model as it is. Ids end at an
    end-of-text token.
    """
    lockstep = Lockstep(model, _taps(model, vectors))
    k = board_build("sim-tiny").top_k
    samplers = [Sampler(TEMPERATURE, 0, TOP_P, seed) for seed in range(len(prompts))]
    for column in prompts.T:
        logits = lockstep.step(column)
    written = []
    for index in range(count):
        tokens = [sampler(Top(*top_k(row, k))) for sampler, row in zip(samplers, logits, strict=True)]
        written.append(tokens)
        if index + 1 < count:
            logits = lockstep.step(tokens)
    return [_until_end(ids, model.config.eos_ids) for ids in np.array(written).T.tolist()]


def _taps(model: Model, vectors: np.ndarray | None) -> Mapping[Point, Tap]:
    return place([DifferenceOfMeans({"vectors": vectors})] if vectors is not None else [], model).taps


def _until_end(ids: list[int], eos_ids: Sequence[int]) -> list[int]:
    ends = [index for index, token in enumerate(ids) if token in eos_ids]
    return ids[:ends[0]] if ends else ids


def perplexity(model: Model, vectors: np.ndarray | None, windows: Sequence[Sequence[int]]) -> float:
    """Per token over windows of ids, each scored from its start."""
    session = Session(model, EmulatorDevice(CPU), taps=_taps(model, vectors))
    nll, predicted = 0.0, 0
    for ids in windows:
        session.reset()
        nll += negative_log_likelihood(session.score(ids[:-1]), np.asarray(ids[1:]))
        predicted += len(ids) - 1
    return math.exp(nll / predicted)
