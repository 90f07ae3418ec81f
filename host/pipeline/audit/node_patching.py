"""Activation patching of a prompt's nodes: what a number of the output becomes when one value is another prompt's.

A node is a site of a layer at one token: the input of `o` or of `down`, which decides that matrix' output, or the
residual behind the layer; or one neuron, a channel of `down`'s input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.patches import replacing
from host.pipeline.audit.prompt_pairs import PromptPair
from host.pipeline.host_steps import HostSteps
from host.pipeline.observing import Observer
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.checkpoint import Model
from models.golden.head import LOGIT_FRACTION
from models.machine.build import CPU

if TYPE_CHECKING:
    from torch import Tensor

    from models.train.network import BitNet
    from models.train.relevance import Rules

    Array = TypeVar("Array", np.ndarray, Tensor)

__all__ = ["ExactPatching", "FloatPatching", "Node", "nodes_of"]

SITES = (Site.O, Site.DOWN, Site.RESIDUAL)


class Node(NamedTuple):
    """A point at a token of the prompt. channel: that one alone; None: all."""

    point: Point
    position: int
    channel: int | None = None

    def patch(self, clean: Array, corrupted: Array) -> Array:
        """The row with the corrupted prompt's value in the node's place, from both prompts' rows [channels]."""
        if self.channel is None:
            return corrupted
        patched = clean + 0
        patched[self.channel] = corrupted[self.channel]
        return patched


def nodes_of(model: Model, pair: PromptPair) -> list[Node]:
    """Those that the pair's word can reach."""
    return [Node(Point(layer, site), position) for layer in range(model.config.layers) for site in SITES
            for position in pair.positions]


class ExactPatching:
    """On the emulator: bits but for the patched row, which is rounded to the integers of its place."""

    def __init__(self, model: Model):
        self._model, self._session = model, Session(model, EmulatorDevice(CPU))

    def logits(self, ids: Sequence[int], steps: HostSteps | None = None) -> np.ndarray:
        """After the last token, float64 [vocab]."""
        self._session.set_host_steps(steps or HostSteps(self._model))
        self._session.reset()
        return self._session.score(ids)[-1] / float(1 << LOGIT_FRACTION)

    def best_next(self, ids: Sequence[int]) -> int:
        """The best next token."""
        return int(self.logits(ids).argmax())

    def effects(self, pair: PromptPair, nodes: Sequence[Node]) -> np.ndarray:
        """For each node, float64 [nodes]: how much the logit of the clean prompt's best next token, less that of the
        corrupted one's, changes when the node's value in the clean prompt is the corrupted one's."""
        observer = Observer({node.point for node in nodes})
        looking = HostSteps(self._model, looks=observer.looks)
        self.logits(pair.corrupted, looking)
        corrupted = observer.take()
        plain = _difference(self.logits(pair.clean, looking), pair)
        clean, found = observer.take(), []
        for node in nodes:
            row = node.patch(clean[node.point][node.position], corrupted[node.point][node.position])
            steps = HostSteps(self._model, stages={node.point: [replacing({node.position: row})]})
            found.append(_difference(self.logits(pair.clean, steps), pair))
        return np.array(found) - plain


class FloatPatching:
    """On the float network, and what gradients or coefficients of relevance estimate without patching anything."""

    def __init__(self, network: BitNet):
        self._network = network

    def effects(self, pair: PromptPair, nodes: Sequence[Node]) -> np.ndarray:
        """As `ExactPatching.effects`, all nodes side by side."""
        import torch

        from models.train.relevance import run

        seen: dict[tuple[int, str], Tensor] = {}

        def keep(layer: int, site: str, x: Tensor) -> Tensor:
            seen[layer, site] = x
            return x

        def patched(layer: int, site: str, x: Tensor) -> Tensor:
            x = x.clone()
            for row, node in enumerate(nodes):
                if node.point == (layer, site):
                    x[row, node.position] = node.patch(x[row, node.position], seen[layer, site][0, node.position])
            return x

        with torch.no_grad():
            run(self._network, torch.tensor([pair.corrupted]), change=keep)
            plain = run(self._network, torch.tensor([pair.clean]))
            found = run(self._network, torch.tensor([pair.clean] * len(nodes)), change=patched)
        return np.array([_difference(row, pair) for row in found.double().numpy()]) - _difference(
            plain[0].double().numpy(), pair)

    def estimates(self, pair: PromptPair, nodes: Sequence[Node], rules: Rules, seed: int | None = None) -> np.ndarray:
        """The change of each node's value times its coefficients in the clean prompt: float64 [nodes]. seed: instead
        of the coefficients a random vector of their norm, a control."""
        import torch

        from models.train.relevance import coefficients

        best, other = pair.best
        clean, slopes = coefficients(self._network, torch.tensor([pair.clean]),
                                     lambda logits: logits[0, best] - logits[0, other], rules)
        corrupted, _ = coefficients(self._network, torch.tensor([pair.corrupted]), lambda logits: logits[0, 0], rules)
        random = np.random.default_rng(seed)
        found = []
        for point, position, channel in nodes:
            place = (point.layer, str(point.site))
            slope = slopes[place][0, position].double().numpy()
            if seed is not None:
                drawn = random.standard_normal(slope.size)
                slope = drawn / np.linalg.norm(drawn) * np.linalg.norm(slope)
            terms = (corrupted[place] - clean[place])[0, position].double().numpy() * slope
            found.append(terms.sum() if channel is None else terms[channel])
        return np.array(found)

    def neurons(self, pair: PromptPair, count: int, seed: int) -> list[Node]:
        """At most `count` of the neurons that the pair's word changes, drawn at random."""
        import torch

        from models.train.relevance import run

        seen: list[Tensor] = []

        def keep(layer: int, site: str, x: Tensor) -> Tensor:
            if site == Site.DOWN:
                seen.append(x)
            return x

        with torch.no_grad():
            run(self._network, torch.tensor([pair.clean, pair.corrupted]), change=keep)
        changed = torch.stack([x[0] != x[1] for x in seen]).nonzero().numpy()
        chosen = np.random.default_rng(seed).permutation(len(changed))[:count]
        return [Node(Point(int(layer), Site.DOWN), int(position), int(channel))
                for layer, position, channel in changed[chosen]]


def _difference(logits: np.ndarray, pair: PromptPair) -> float:
    return float(logits[pair.best[0]] - logits[pair.best[1]])
