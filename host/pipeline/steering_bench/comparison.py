"""Steering methods on one model at equal cost: each fitted, with random directions, and fitted to shuffled labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import lru_cache, partial
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from host.pipeline.decode_speed import DecodeRace
from host.pipeline.fitting import REQUIRED, Fitted
from host.pipeline.methods import Methods, find_methods
from host.pipeline.placement import place
from host.pipeline.stage import Stage
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from host.pipeline.steering_bench.budgets import strengths_at
from host.pipeline.steering_bench.material import Material, read_material
from host.pipeline.steering_bench.outcome import Bench, Cost, Outcome
from models.checkpoint import load_model
from models.errors import TritloomError

__all__ = ["BUDGETS", "COMPARED", "Compared", "Plain", "Row", "Settings", "compare", "comparable"]

BUDGETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
"""More perplexity: the sweep. A method's strength is found for each."""

COMPARED = (0.02, 0.05, 0.1)
"""Those at which controls run, too."""

_REVERSED = 0.05  # the budget at whose strength, negated, a method is asked to go the other way


class Settings(NamedTuple):
    """What a comparison works on; held_out and the first two are toward and away."""

    model: str
    toward: Path
    away: Path
    held_out: tuple[Path, Path]
    prompts: int = 64
    new_tokens: int = 40
    windows: int = 4
    fitted_tokens: int = 8192
    draws: int = 1
    methods: Path | None = None


class Row(NamedTuple):
    """what: fitted, random or shuffled; draw: which of those. budget: None for the reversed strength."""

    method: str
    what: str
    draw: int
    target: str
    budget: float | None
    strength: float
    outcome: Outcome


class Compared(NamedTuple):
    """One method toward one target. runs, cuts: where its stage runs and its cuts a token; tokens_per_s and of_plain:
    measured decoding; details: of the fit; error: why there is nothing of it, else ""."""

    method: str
    target: str
    rows: list[Row]
    runs: str = ""
    cuts: int = 0
    tokens_per_s: float = 0.0
    of_plain: float = 0.0
    details: Mapping[str, object] | None = None
    error: str = ""

    def as_json(self) -> dict[str, object]:
        """Ready for JSON, continuations included."""
        rows = [row._asdict() | {"outcome": row.outcome._asdict() | {"cost": row.outcome.cost._asdict()}}
                for row in self.rows]
        return self._asdict() | {"rows": rows}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Compared:
        """What `as_json` gave."""
        rows = [Row(**{**row, "outcome": Outcome(**{**row["outcome"], "cost": Cost(**row["outcome"]["cost"])})})
                for row in found["rows"]]
        return cls(**{**found, "rows": rows})


class Plain(NamedTuple):
    """The plain model on a target's prompts; accuracy: the judge's on held-out text of target and source. log_odds:
    what it gives that text, per word, toward the target."""

    target: str
    source: str
    success: float
    perplexity: tuple[float, float]
    accuracy: tuple[float, float]
    log_odds: tuple[float, float]
    prompts: list[str]
    texts: list[str]


def comparable(methods: Methods) -> list[type[ContrastFit]]:
    """The methods that two texts are enough to fit."""
    return [cls for cls in methods.values() if issubclass(cls, ContrastFit)
            and not any(option.default is REQUIRED for option in _own(cls).values())]


def compare(settings: Settings, names: Sequence[str], *, jobs: int = 1, on_done: Callable[[Compared], None]
            ) -> tuple[list[Plain], list[Compared]]:
    """Methods by their names, toward either manner. jobs: processes; 1 is this one alone. on_done: called as each is
    through."""
    tasks = [(settings, name, reverse) for name in names for reverse in (False, True)]
    sides = [(settings, reverse) for reverse in (False, True)]
    found: list[Compared] = []
    with ExitStack() as stack:
        both: Callable[..., Iterable] = starmap
        if jobs > 1:
            pool = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn")))
            both = partial(_in_order, pool)
        plain = list(both(_plain, sides))
        for each in both(_compared, tasks):
            found.append(each)
            on_done(each)
    return plain, found


def _in_order(pool: ProcessPoolExecutor, work: Callable, tasks: Sequence[tuple]) -> Iterator:
    """`starmap` in processes."""
    for future in [pool.submit(work, *task) for task in tasks]:
        yield future.result()


@lru_cache(1)
def _material(settings: Settings) -> Material:
    return read_material(load_model(settings.model), settings.toward, settings.away, settings.held_out,
                         prompts=settings.prompts, windows=settings.windows, tokens=settings.fitted_tokens)


@lru_cache(2)
def _bench(settings: Settings, reverse: bool) -> Bench:
    material = _material(settings)
    return Bench(material.contrast.model, material, reverse=reverse, tokens=settings.new_tokens)


def _plain(settings: Settings, reverse: bool) -> Plain:
    bench, accuracy = _bench(settings, reverse), _material(settings).accuracy
    sign = -1 if reverse else 1
    return Plain(bench.target.name, bench.source.name, bench.plain_success, tuple(bench.plain_perplexity),
                 accuracy[::sign], (sign * bench.target.log_odds, sign * bench.source.log_odds), bench.prompts(),
                 bench.plain_texts)


def _compared(settings: Settings, name: str, reverse: bool) -> Compared:
    """One task, in a process of its own."""
    cls = find_methods(settings.methods)["steering", name]
    assert issubclass(cls, ContrastFit)
    bench, contrast = _bench(settings, reverse), _material(settings).contrast
    if reverse:
        contrast = contrast.flipped()
    try:
        fitted = _fit(cls, contrast)
        stage = cls.load(_as_stored(fitted))
    except TritloomError as error:
        return Compared(name, bench.target.name, [], error=str(error))
    rows = list(_rows(name, "fitted", 0, stage, bench, BUDGETS))
    near = max((row.strength for row in rows), default=1.0)  # where to begin to look
    for draw in range(settings.draws):
        rows += _rows(name, "random", draw, stage.randomised(draw), bench, COMPARED, near)
        try:
            shuffled = cls.load(_as_stored(_fit(cls, contrast.shuffled(draw))))
        except TritloomError:  # labels without meaning may leave nothing to fit
            continue
        rows += _rows(name, "shuffled", draw, shuffled, bench, COMPARED, near)
    acting = stage.with_strength(next((row.strength for row in rows if row.budget == _REVERSED), 1.0))
    placement = place([acting], bench.model)
    speed = DecodeRace(bench.model, bench.target.windows[0].tolist()).of([acting])
    return Compared(name, bench.target.name, rows, placement.where(list(acting.points(bench.model))), placement.cuts(),
                    speed.tokens_per_s, speed.of_dense, dict(fitted.details))


def _rows(name: str, what: str, draw: int, stage: Stage, bench: Bench, budgets: Sequence[float], start: float = 1.0
          ) -> Iterator[Row]:
    """A stage over strengths, looked for from `start` on; a fitted one also the other way."""
    def at(strength: float) -> list[Stage]:
        return [stage.with_strength(strength)]

    def cost(strength: float) -> float:
        try:
            return bench.cost(at(strength)).both
        except TritloomError:  # beyond what a tap holds
            return float("inf")

    strengths = strengths_at(cost, budgets, start)
    for budget, strength in strengths.items():
        yield Row(name, what, draw, bench.target.name, budget, strength, bench(at(strength)))
    if what == "fitted" and _REVERSED in strengths:
        try:
            reversed_ = bench(at(-strengths[_REVERSED]))
        except TritloomError:  # goes one way only
            return
        yield Row(name, what, draw, bench.target.name, None, -strengths[_REVERSED], reversed_)


def _fit(cls: type[ContrastFit], contrast: Contrast) -> Fitted:
    own = {option: value.default for option, value in _own(cls).items()}
    return cls.fit_contrast(contrast, cls.default_layers(contrast.model.config.layers), **own)


def _own(cls: type[ContrastFit]) -> dict:
    return {name: option for name, option in cls.options.items() if name not in CONTRAST_OPTIONS}


def _as_stored(fitted: Fitted) -> dict[str, np.ndarray]:
    """As an artefact gives them back."""
    return {name: np.asarray(array, np.float32).astype(np.float64) for name, array in fitted.tensors.items()}
