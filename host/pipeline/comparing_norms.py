"""Norms of one model beside each other, on the exact emulator: what they do to a text, where they run, what that costs.

A model runs with the norm that it was trained with. Of RMSNorm the same bits are made in the fabric and at cuts on the
CPU, so the second row is the price of cuts alone; of another norm the row at strength 0 is its share beyond RMSNorm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from host.pipeline.decode_speed import DecodeRace
from host.pipeline.measuring import Sessions, measure
from host.pipeline.normalisation.norm import Normalisation
from host.pipeline.normalisation.rmsnorm import RMSNorm
from host.pipeline.placement import place
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.config import NORMS
from models.errors import OptionError

__all__ = ["NormRow", "compare_norms"]


class NormRow(NamedTuple):
    """runs: in the fabric or on the CPU; cuts: of a token. perplexity: None where it leaves float64. over_first and
    of_first: perplexity and speed over the first row's, the speed measured token by token in turns; of the first None.
    """

    method: str
    strength: float
    runs: str
    cuts: int
    perplexity: float | None
    over_first: float | None
    tokens_per_s: float
    of_first: float | None


class _AtCuts(RMSNorm):
    """RMSNorm on the CPU, at every place."""

    in_fabric = False


def compare_norms(model: Model, given: Sequence[Stage], ids: Sequence[int]) -> list[NormRow]:
    """Score `ids` under the model's own norm, the same on the CPU or without its strength, and each one given alone.

    `OptionError` where a stage is no norm, or the model was trained with another norm than RMSNorm and none is given.
    """
    for stage in given:
        if not isinstance(stage, Normalisation):
            raise OptionError(f"{stage.kind} by {stage.method} is no norm")
    if model.config.norm == NORMS[0]:
        sides: list[Stage] = [RMSNorm(), _AtCuts(), *given]
    elif given:
        sides = [*given, *(stage.with_strength(0.0) for stage in given if stage.strength)]
    else:
        raise OptionError(f"{model.config.name} was trained with {model.config.norm}: give its --stage")
    sessions, race = Sessions(model), DecodeRace(model, ids, beside=sides[:1])
    rows: list[NormRow] = []
    for stage in sides:
        placement, points = place([stage], model), list(stage.points(model))
        found, speed = measure(model, [stage], ids, points=(), sessions=sessions), race.of([stage])
        first = rows[0].perplexity if rows else found.perplexity
        rows.append(NormRow(
            stage.method, stage.strength, placement.where(points), placement.cuts(), found.perplexity,
            found.perplexity / first if rows and found.perplexity is not None and first is not None else None,
            speed.tokens_per_s, speed.of_dense if rows else None))
    return rows
