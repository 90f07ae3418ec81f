"""Stages whose strength a request chooses: they act on its rows alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from host.pipeline.loading import NamedStage
from host.pipeline.stage import Stage
from host.server.api_error import ApiError, refused

__all__ = ["Adjustable"]

_KEPT = 256  # stages at strengths: a cache is reused where the very same objects acted


class Adjustable:
    """Named stages, each with the strength that it has where a request does not say. Strength 0: it does not act."""

    def __init__(self, stages: Sequence[NamedStage] = ()):
        self.stages: dict[str, Stage] = {}
        for name, stage in stages:
            self.stages[self._free(name)] = stage
        self._lock = threading.Lock()  # around what is made: requests are prepared in several threads
        self._made: OrderedDict[tuple[str, float], Stage] = OrderedDict()

    def chosen(self, wanted: Sequence[Mapping[str, object]]) -> list[Stage]:
        """The stages that act on a request that wants these strengths: {"stage": name, "strength": number} each."""
        strengths = {name: stage.strength for name, stage in self.stages.items()}
        for item in wanted:
            name = str(item["stage"])
            if name not in strengths:
                known = ", ".join(strengths) or "none was given at start"
                raise ApiError(422, f"there is no adjustable stage {name!r}; known: {known}", param="stages",
                               code="unknown_stage")
            strengths[name] = float(item.get("strength", 1.0))
        return [self._at(name, strength) for name, strength in strengths.items() if strength]

    def _at(self, name: str, strength: float) -> Stage:
        key = name, strength
        with self._lock, refused(422, param="stages"):
            if key not in self._made:
                self._made[key] = self.stages[name].with_strength(strength)
            self._made.move_to_end(key)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return self._made[key]

    def _free(self, name: str) -> str:
        """A name as a user would call it: the file's, without folder, ending and strength."""
        short = base = name.rpartition("/")[2].partition(":")[0].removesuffix(".safetensors")
        number = 1
        while short in self.stages:
            number += 1
            short = f"{base}-{number}"
        return short
