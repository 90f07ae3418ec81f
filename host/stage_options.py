"""The options by which commands take stages, and what these do to a model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

from host.pipeline.loading import NamedStage, load_stages
from host.pipeline.methods import METHODS_VARIABLE, find_methods
from host.pipeline.placement import PLACES, Placement, host_steps, place
from host.pipeline.site import Site
from host.runtime import Session
from models.checkpoint import Model

__all__ = ["Chosen", "add_methods_option", "add_stage_options", "chosen_stages", "stage_line"]


class Chosen(NamedTuple):
    """The stages of a command line and where they run; where: the place that was asked for."""

    stages: list[NamedStage]
    placement: Placement
    where: str = "auto"

    def with_strength(self, index: int, strength: float, model: Model) -> Chosen:
        """The same with another strength of one stage; `ArtefactError` where that makes no sense."""
        stages = list(self.stages)
        stages[index] = stages[index]._replace(stage=stages[index].stage.with_strength(strength))
        return Chosen(stages, place([stage for _, stage in stages], model, self.where), self.where)

    def act_on(self, session: Session) -> None:
        """From the next pass on these act on a session that was opened with the same stages at any strength."""
        session.set_host_steps(host_steps(self.placement, session.model))
        session.set_taps(self.placement.taps)

    def report(self, model: Model) -> list[dict[str, Any]]:
        """For each stage, ready for JSON: what it is, where it runs, its sites and points, cuts a token."""
        rows = []
        for name, stage in self.stages:
            points = list(stage.points(model))
            rows.append({"stage": name, "kind": stage.kind, "method": stage.method, "strength": stage.strength,
                         "runs": self.placement.where(points),
                         "sites": [str(site) for site in Site if any(point.site == site for point in points)],
                         "points": len(points), "cuts": self.placement.cuts(points)})
        return rows


def stage_line(row: Mapping[str, Any]) -> str:
    """A row of `Chosen.report` as a line."""
    return (f"{row['stage']}: {row['kind']} by {row['method']} at {', '.join(row['sites']) or 'no site'}: "
            f"{row['points']} points, runs on {row['runs']}, {row['cuts']} cuts a token")


def add_methods_option(parser: argparse.ArgumentParser) -> None:
    """--methods."""
    parser.add_argument("--methods", metavar="DIR",
                        help=f"a folder of methods of your own, whose files are run (default: ${METHODS_VARIABLE})")


def add_stage_options(parser: argparse.ArgumentParser) -> None:
    """--stage, --place, --methods."""
    parser.add_argument("--stage", action="append", default=[], metavar="ARTEFACT[:STRENGTH]",
                        help="something fitted by host.pipeline fit; of several all act")
    parser.add_argument("--place", choices=PLACES, default="auto",
                        help="where stages run (default: auto, the fabric's taps where these give the same bits)")
    add_methods_option(parser)


def chosen_stages(options: argparse.Namespace, model: Model) -> Chosen:
    """The stages of the options, placed on a model."""
    if not options.stage:
        return Chosen([], place([], model, options.place), options.place)
    stages = load_stages(model, options.stage, find_methods(options.methods))
    return Chosen(stages, place([stage for _, stage in stages], model, options.place), options.place)
