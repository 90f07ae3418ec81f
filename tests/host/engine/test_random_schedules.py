"""Whatever shares its passes, a request gets the ids that it gets alone: 1,000 random schedules.

Some requests have stages of their own, some sessions have stages for all.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.reply import Finish
from host.engine.request import Request
from host.pipeline.normalisation.norm import Normalisation
from host.pipeline.normalisation.rmsnorm import RMSNorm
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.teal import Teal
from host.pipeline.stage import Order, Stage
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.runtime import Session
from host.sampler import Sampler
from host.speculation import PromptLookup
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

SCHEDULES = 1000
LONGEST = 9  # new ids
KINDS = 24  # of requests


@dataclass(frozen=True)
class Kind:
    """A request without its limit and drafts: any limit gives the first of the same ids."""

    prompt: tuple[int, ...]
    temperature: float
    seed: int
    stages: tuple[Stage, ...]

    def request(self, limit, drafts=None):
        sampler = Sampler(self.temperature, seed=self.seed, repeat_penalty=1.0 + 0.3 * (self.seed % 2))
        return Request(self.prompt, sampler, limit, ends=(), drafts=drafts, stages=self.stages)


class Guesses(PromptLookup):
    """Drafts from what the request says alone, some of them wrong."""

    def __init__(self, drafts, truth, rng):
        super().__init__(drafts)
        self._truth, self._rng = truth, rng

    def propose(self, limit):
        ahead = self._truth[len(self._ids):][:min(limit, self.drafts)]
        return [(token + int(self._rng.random() < 0.2)) % MODEL.config.vocab_size for token in ahead]


MODEL = synthetic_model(replace(FAMILIES["one head"], context=48, tied_head=False), seed=1)


class Halved(Normalisation):
    """No norm that anyone would want, but one that changes ids."""

    method = "halved"

    @staticmethod
    def shapes(config):
        return {}

    def normalise(self, point, x, unit, gains, model):
        y, step = RMSNorm().normalise(point, x, unit, gains, model)
        return np.where(np.arange(y.shape[-1]) % 2, y, y >> 1), step

    def points(self, model):
        return [Point(0, Site.ATTENTION_NORM), Point(0, Site.FFN_NORM)]


class Clipped(Stage):
    """Sums of the gate, at most so large."""

    kind, method, order, sites = "sparsity", "clipped", Order.CLIP, (Site.GATE,)

    @staticmethod
    def shapes(config):
        return {}

    def apply(self, point, x, unit, model):
        return np.clip(x, -40, 40)


RNG = np.random.default_rng(8)
TEAL = Teal({"thresholds": RNG.uniform(0.2, 0.6, (MODEL.config.layers, 4))})
STEERING = DifferenceOfMeans({"vectors": RNG.standard_normal((MODEL.config.layers, MODEL.config.hidden_size))})
OWN = ((TEAL,), (STEERING, TEAL), (Halved({}), Clipped({})))
"""Stages that every fifth request has alone."""
FOR_ALL = {"none": ((), "auto"), "taps": ((TEAL, STEERING), "fabric"), "stops": ((STEERING, Clipped({})), "cpu")}
"""Stages of a session, and where they run."""


@cache
def session_of(sequences, of_all):
    """Of 1 to 4 sequences; of 0: the one on which requests run alone."""
    stages, where = FOR_ALL[of_all]
    placement = place(stages, MODEL, where)
    return Session(MODEL, EmulatorDevice(CPU, threads=1), sequences=max(1, sequences), taps=placement.taps,
                   host_steps=host_steps(placement, MODEL))


@cache
def kinds():
    """Prompts that begin alike, others, and next turns of what was said; greedy and drawn."""
    rng, found = np.random.default_rng(3), []
    stems = [rng.integers(0, MODEL.config.vocab_size, 14).tolist() for _ in range(3)]
    for number in range(KINDS):
        start = stems[number % 3][:rng.integers(0, 15)]
        if number >= KINDS // 3:
            before = found[rng.integers(KINDS // 3)]
            start = [*before.prompt, *alone(before, "none")[:rng.integers(1, LONGEST + 1)]]
        new = rng.integers(0, MODEL.config.vocab_size, rng.integers(1, 5)).tolist()
        own = OWN[number // 5 % 3] if number % 5 == 0 else ()
        found.append(Kind((*start, *new), (0.0, 0.9)[number % 2], number, own))
    return found


@cache
def alone(kind, of_all):
    return Engine(session_of(0, of_all)).complete(kind.request(LONGEST)).ids


def run_schedule(rng):
    """Random arrivals, lengths and cancellations on a session of random width; the engine, and of each request the
    reply, what it says alone, and whether stages of its own change that."""
    of_all = str(rng.choice(list(FOR_ALL), p=(0.5, 0.4, 0.1)))
    session = session_of(int(rng.integers(1, 5)), of_all)
    session.rows = int(rng.choice([1, 2, 3, 6, 17, 128]))
    engine, replies = Engine(session), []
    to_come = int(rng.integers(1, 8))
    while to_come or not engine.idle:
        while to_come and (engine.idle or rng.random() < 0.3):
            kind = kinds()[rng.integers(KINDS)]
            drafts = int(rng.integers(0, min(session.rows, 6)))
            said = alone(kind, of_all)
            source = Guesses(drafts, [*kind.prompt, *said], rng) if drafts else None
            changed = said != alone(replace(kind, stages=()), of_all)
            replies.append((engine.add(kind.request(int(rng.integers(1, LONGEST + 1)), source)), said, changed))
            to_come -= 1
        if rng.random() < 0.06:
            engine.cancel(replies[rng.integers(len(replies))][0])
        engine.step()
    return engine, replies


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 10))])
def test_a_request_gets_what_it_gets_alone(part):
    rng, seen = np.random.default_rng(part), {"cancelled": 0, "accepted": 0, "refused": 0, "cached": 0, "together": 0,
                                              "own": 0}
    for _ in range(SCHEDULES // 10):
        engine, replies = run_schedule(rng)
        for reply, said, changed in replies:
            expected = said[:reply.request.limit]
            if reply.finish == Finish.CANCELLED:
                assert reply.ids == expected[:len(reply.ids)]
            else:
                assert reply.finish == Finish.LIMIT and reply.ids == expected
            seen["cancelled"] += reply.finish == Finish.CANCELLED
            seen["accepted"] += reply.accepted
            seen["refused"] += reply.drafted - reply.accepted
            seen["cached"] += reply.cached
            seen["own"] += changed
        seen["together"] += engine.work.decoded > engine.work.passes
    assert min(seen.values()) > 10, seen
