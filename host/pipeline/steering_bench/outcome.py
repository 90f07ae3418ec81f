"""One steering stage on held-out prompts: what it writes, how far that moved, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.pipeline.measuring import Sessions
from host.pipeline.stage import Stage
from host.pipeline.steering_bench.judge import repeated_share
from host.pipeline.steering_bench.lockstep import Lockstep, sampled
from host.pipeline.steering_bench.material import Material
from host.scoring import negative_log_likelihood
from host.text import Text
from models.checkpoint import Model

__all__ = ["Bench", "Cost", "Outcome"]


class Cost(NamedTuple):
    """Perplexity of held-out text under a stage over the plain model's; `both`: the geometric mean."""

    target: float
    source: float

    @property
    def both(self) -> float:
        return math.sqrt(self.target * self.source)


class Outcome(NamedTuple):
    """shift: mean change of the continuations' log-odds per word toward the target against the plain model's, nats.
    success: share that the judge gives to the target's manner. Both with their standard errors over the prompts.
    broken, repeated: how much the shares of unknown words and of repeated runs of three words grew (off target)."""

    cost: Cost
    shift: float
    shift_error: float
    success: float
    success_error: float
    broken: float
    repeated: float
    texts: list[str]


class Bench:
    """Prompts in one manner, to be led to the other. reverse: from the wanted manner to the other one.

    tokens: new ones after each prompt; prompt i is sampled with seed i under every stage.
    """

    def __init__(self, model: Model, material: Material, *, reverse: bool = False, tokens: int = 40):
        self.model, self._judge, self._tokens = model, material.judge, tokens
        self._sign = -1 if reverse else 1
        self.source, self.target = ((material.away, material.toward) if not reverse else
                                    (material.toward, material.away))
        self._text, self._lockstep, self._sessions = Text(model.folder), Lockstep(model), Sessions(model)
        self.plain_texts = self.write(())
        self._plain = self._scores(self.plain_texts)
        self.plain_perplexity = Cost(*(self._perplexity((), side.windows) for side in (self.target, self.source)))
        self.plain_success = float(np.mean(self._plain[0] > 0))

    def __call__(self, stages: Sequence[Stage]) -> Outcome:
        """All of it under stages."""
        texts = self.write(stages)
        scores = self._scores(texts)
        moved = (scores - self._plain).mean(axis=1)
        count, success = len(texts), float(np.mean(scores[0] > 0))
        return Outcome(self.cost(stages), float(moved[0]),
                       float((scores - self._plain)[0].std(ddof=1) / math.sqrt(count)), success,
                       math.sqrt(success * (1 - success) / count), float(moved[1]), float(moved[2]), texts)

    def cost(self, stages: Sequence[Stage]) -> Cost:
        """What held-out text costs under stages; infinity where it leaves float64."""
        return Cost(self._perplexity(stages, self.target.windows) / self.plain_perplexity.target,
                    self._perplexity(stages, self.source.windows) / self.plain_perplexity.source)

    def write(self, stages: Sequence[Stage]) -> list[str]:
        """How the prompts go on under stages, up to an end-of-text token."""
        prompts = self.source.prompts
        self._lockstep.begin(stages)
        written = sampled(self._lockstep, prompts, self._tokens)
        return [self._shown(prompt, ids) for prompt, ids in zip(prompts.tolist(), written.tolist(), strict=True)]

    def prompts(self) -> list[str]:
        """The prompts as text."""
        return [self._text.decode(prompt) for prompt in self.source.prompts.tolist()]

    def _shown(self, prompt: list[int], ids: list[int]) -> str:
        ends = [index for index, token in enumerate(ids) if token in self.model.config.eos_ids]
        ids = ids[:ends[0]] if ends else ids
        return self._text.decode([*prompt, *ids])[len(self._text.decode(prompt)):]

    def _scores(self, texts: Sequence[str]) -> np.ndarray:
        """[3, prompts]: log-odds toward the target, shares of broken and of repeated text."""
        return np.array([[self._sign * self._judge.log_odds_per_word(text), self._judge.broken_share(text),
                          repeated_share(text)] for text in texts]).T

    def _perplexity(self, stages: Sequence[Stage], windows: np.ndarray) -> float:
        session = self._sessions.of(stages, {})
        nll, predicted = 0.0, 0
        for ids in windows.tolist():
            session.reset()
            nll += negative_log_likelihood(session.score(ids[:-1]), np.asarray(ids[1:]))
            predicted += len(ids) - 1
        try:
            return math.exp(nll / predicted)
        except OverflowError:
            return math.inf
