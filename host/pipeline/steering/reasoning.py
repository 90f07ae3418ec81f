"""ActivationReasoning: concepts that hold in the residual stream, rules over them, and steering where these say so.

Behind the first of the steered layers, before anything is added there, each token's residual is scored along every
concept's direction. What passes its threshold is a proposition: of the token, or, by the mean of the scores, of the
sequence so far. Rules are chained on them (`rules`), and the vectors of the concepts that they conclude to steer to are
added up: h += strength * (sum of them, each of one norm) behind each steered layer. Where no rule fires, no bit
changes. In the first tokens of a sequence, whose residual is dominated by the start of text, every proposition is
unknown.

Scores are sums of products of integers, compared with an integer, so that what holds is the same on every machine; what
is added is the tap's arithmetic. It runs on the CPU: a tap knows no condition. Strength 1 adds the usual norm of h,
shared over the layers; the paper's factor is 0.5. There are few concepts here, so all that fire are added, where the
paper keeps the ten strongest. Source: ActivationReasoning, "Logical Reasoning in Latent Activation Spaces".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.observing import SKIPPED, residuals
from host.pipeline.sequence_stage import SequenceRows, SequenceStage
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import adding_tap, usual_norm
from host.pipeline.steering.concepts import concept_directions, fit_concepts
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit, chosen_layers
from host.pipeline.steering.rules import ATOMS, CONCEPTS, NOW, RULES, SO_FAR, STEER, Rules, chain, parse_rules
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError, OptionError, printable
from models.golden.residual import RESIDUAL_BITS
from models.golden.scalar import Scalar, constant, div
from models.golden.tap import Tap, tap
from models.machine.build import CPU
from models.text_file import read_text_file

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DEFAULT_RULES", "Reasoning"]

DEFAULT_RULES = "so far away => steer toward"
"""Of two texts: a text in the other manner is led to the wanted one, a text in the wanted one is left alone."""

_TWO_TEXTS = ("toward", "away")  # their names as concepts
_ENTRY = 32767  # the largest mantissa of a direction
_LARGEST = 1 << 62  # a threshold beyond it is as good as this


class Reasoning(ContrastFit, SequenceStage):
    """directions [concepts, hidden] and thresholds [concepts], of scores behind layer `layer` [1]; vectors [layers,
    concepts, hidden] that are added; bodies and heads [rules, propositions] as in `rules.Rules`. All float; what is not
    used is zero."""

    method = "reasoning"
    options = {"concept": FitOption(list, None, "NAME=FILE: a concept and a text of it; at least two, with --rules"),
               "rules": FitOption(Path, None, f"rules, a line each (else, of two texts: {DEFAULT_RULES})"),
               **{name: option._replace(default=None) if name in ("toward", "away") else option
                  for name, option in CONTRAST_OPTIONS.items()}}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self._rules = Rules(*(self.tensors[name].astype(np.int8) for name in ("bodies", "heads")))
        self._layer = int(self.tensors["layer"][0])
        self._entries = [to_mantissas(direction, _ENTRY) for direction in self.tensors["directions"]]
        self._used = self.tensors["directions"].any(axis=1)
        self._parts: Sequence[SequenceRows] = ()
        self._sums: dict[int, list[tuple[int, list[int]]]] = {}  # of each sequence, up to each position
        self._steered = np.zeros((0, CONCEPTS), np.int8)  # of the pass' rows
        self._taps: dict[tuple[int, bytes], Tap] = {}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"directions": (CONCEPTS, config.hidden_size), "thresholds": (CONCEPTS,), "layer": (1,),
                "vectors": (config.layers, CONCEPTS, config.hidden_size), "bodies": (RULES, ATOMS),
                "heads": (RULES, ATOMS)}

    @classmethod
    def fit(cls, model: Model, **options: Any) -> Fitted:
        """See `Stage`."""
        concept, rules, toward, away = (options[name] for name in ("concept", "rules", "toward", "away"))
        chosen = (chosen_layers(options["layers"], model.config.layers) if options["layers"]
                  else list(cls.default_layers(model.config.layers)))
        if concept:
            if toward or away or not rules:
                raise OptionError("steering by reasoning takes --concept with --rules, and then no --toward or --away")
            ids = _concept_ids(model, concept, options["tokens"])
            parse_rules(read_text_file(rules), list(ids), printable(rules.name))  # as above
            states = [residuals(model, EmulatorDevice(CPU), each, description=name) for name, each in ids.items()]
            tensors, details = cls.fit_states(list(ids), states, chosen, read_text_file(rules), printable(rules.name))
        else:
            if not toward or not away:
                raise OptionError("steering by reasoning needs --toward and --away, or --concept NAME=FILE for each "
                                  "concept, and --rules")
            contrast = Contrast.read(model, toward, away, options["tokens"])
            tensors, details = cls.fit_contrast(contrast, chosen, concept=None, rules=rules)
        return Fitted(tensors, {"layers": chosen, **details})

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # options by name
                     concept: None = None, rules: Path | None = None) -> Fitted:
        """See `ContrastFit`. The two texts are the concepts `toward` and `away`."""
        text, source = (read_text_file(rules), printable(rules.name)) if rules else (DEFAULT_RULES, "default rules")
        parse_rules(text, _TWO_TEXTS, source)  # ask before long work
        return cls.fit_states(_TWO_TEXTS, contrast.states, layers, text, source)

    @classmethod
    def fit_states(cls, names: Sequence[str], states: Sequence[np.ndarray], layers: Sequence[int], text: str,
                   source: str) -> Fitted:
        """Fit to the residuals of each concept's text, [layers, tokens, hidden]; `OptionError` where one is as the
        others are. Details: names, rules, and how many tokens the thresholds put right."""
        rules = parse_rules(text, names, source)
        count, hidden = len(names), states[0].shape[2]
        tensors = {"directions": np.zeros((CONCEPTS, hidden)), "thresholds": np.zeros(CONCEPTS),
                   "layer": np.array([float(layers[0])]), "vectors": np.zeros((len(states[0]), CONCEPTS, hidden)),
                   "bodies": rules.bodies.astype(float), "heads": rules.heads.astype(float)}
        for layer in layers:
            rows = [each[layer] for each in states]
            norm = usual_norm(np.concatenate(rows)) / len(layers)
            tensors["vectors"][layer, :count] = concept_directions(rows) * norm
        found = fit_concepts([each[layers[0]] for each in states])
        for name, direction in zip(names, found.directions, strict=True):
            if not direction.any():
                raise OptionError(f"the text of {name} does not differ from the others' behind layer {layers[0]}: "
                                  "nothing tells whether it holds")
        tensors["directions"][:count], tensors["thresholds"][:count] = found.directions, found.thresholds
        return Fitted(tensors, {"concept": list(names), "rules": text.splitlines(),
                                "balanced_accuracy": found.accuracies.round(3).tolist()})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`; strength may be negative."""
        check_magnitudes("vectors", np.abs(tensors["vectors"]).max(axis=2).ravel(), strength)
        check_magnitudes("directions", np.abs(tensors["directions"]).max(axis=1), 1.0)
        for name in ("bodies", "heads"):
            if not np.isin(tensors[name], (-1, 0, 1)).all():
                raise ArtefactError(f"tensor {name}: expected numbers of -1, 0 and 1")
        if (np.count_nonzero(tensors["heads"], axis=1) > 1).any() or tensors["heads"][:, SO_FAR].any():
            raise ArtefactError("tensor heads: expected one conclusion a rule, and none on the sequence so far")
        if (layer := tensors["layer"][0]) not in range(len(tensors["vectors"])):
            raise ArtefactError(f"tensor layer: expected one of {len(tensors['vectors'])} layers, found {layer:g}")
        if tensors["vectors"][:int(layer)].any():
            raise ArtefactError(f"tensor vectors: expected none before layer {layer:g}, where concepts are looked for")
        return cls(tensors, strength)

    def points(self, model: Model) -> list[Point]:
        layers = {self._layer, *np.flatnonzero(self.tensors["vectors"].any(axis=(1, 2))).tolist()}
        return [Point(layer, Site.RESIDUAL) for layer in sorted(layers)]

    def begin(self, parts: Sequence[SequenceRows]) -> None:
        self._parts = list(parts)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        if point.layer == self._layer:
            self._steered = chain(self._rules, self.facts(x, model))[:, STEER]
        if len(self._steered) != len(x):
            raise ValueError(f"{type(self).__name__} was not asked behind layer {self._layer} about these rows")
        result = x.copy()
        for signs in np.unique(self._steered, axis=0):
            rows = (self._steered == signs).all(axis=1)
            if signs.any():
                rho = div(constant(1), unit[rows])
                result[rows] = tap(x[rows], self._adding(point.layer, signs), rho, bits=RESIDUAL_BITS)
        return result

    def facts(self, x: np.ndarray, model: Model) -> np.ndarray:
        """What holds of the pass' rows, int8 [rows, ATOMS]. x: their residuals, int64 [rows, hidden]."""
        if sum(part.rows for part in self._parts) != len(x):
            raise ValueError(f"{type(self).__name__} was not told of these rows")
        scores = np.stack([x @ entries for entries, _ in self._entries], axis=1)
        limits = [self._limit(index, model) for index in range(CONCEPTS)]
        facts, row = np.zeros((len(x), ATOMS), np.int8), 0
        for part in self._parts:
            seen = self._sums.setdefault(part.sequence, [])
            del seen[part.position:]
            seen += [seen[-1] if seen else (0, [0] * CONCEPTS)] * (part.position - len(seen))
            for position in range(part.position, part.position + part.rows):
                count, sums = seen[-1] if seen else (0, [0] * CONCEPTS)
                if position >= SKIPPED:
                    mine = scores[row].tolist()
                    count, sums = count + 1, [total + score for total, score in zip(sums, mine, strict=True)]
                    facts[row, NOW] = [_sign(score > limit) for score, limit in zip(mine, limits, strict=True)]
                    facts[row, SO_FAR] = [_sign(total > count * limit)
                                          for total, limit in zip(sums, limits, strict=True)]
                seen.append((count, sums))
                row += 1
        for places in (NOW, SO_FAR):
            facts[:, places] *= self._used
        return facts

    def randomised(self, seed: int) -> Reasoning:
        """A control: the same propositions and rules; what is added for a concept is one Gaussian direction at all
        layers, of the vectors' norms."""
        vectors = self.tensors["vectors"]
        drawn = np.random.default_rng(seed).standard_normal(vectors.shape[1:])
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return self.load({**self.tensors, "vectors": drawn * np.linalg.norm(vectors, axis=2, keepdims=True)},
                         self.strength)

    def _limit(self, index: int, model: Model) -> int:
        """A threshold in the scores' integers."""
        _, exponent = self._entries[index]
        limit = math.ldexp(float(self.tensors["thresholds"][index]), model.residual_fraction_bits - exponent)
        return round(max(-_LARGEST, min(_LARGEST, limit)))

    def _adding(self, layer: int, signs: np.ndarray) -> Tap:
        key = layer, signs.tobytes()
        if key not in self._taps:
            total = np.zeros(self.tensors["vectors"].shape[2])
            for sign, vector in zip(signs.tolist(), self.tensors["vectors"][layer], strict=True):
                total = total + sign * vector
            self._taps[key] = adding_tap(total * self.strength)
        return self._taps[key]


def _sign(holds: bool) -> int:
    return 1 if holds else -1


def _concept_ids(model: Model, given: Sequence[str], tokens: int) -> dict[str, Sequence[int]]:
    """Ids of each concept's text, by name; `OptionError` where one is too short, or two are the same."""
    if tokens <= 2 * SKIPPED:
        raise OptionError(f"--tokens must be more than {2 * SKIPPED}, got {tokens}")
    found: dict[str, Sequence[int]] = {}
    for item in given:
        name, separator, file = item.partition("=")
        if not separator or not file or name in found:
            raise OptionError(f"--concept takes NAME=FILE, each name once, got {item!r}")
        ids = spread(text_ids(model, Path(file)), tokens, model.config.context)
        if len(ids) <= 2 * SKIPPED:
            raise OptionError(f"{file} is too short to fit a concept: {len(ids)} tokens")
        if same := [other for other, those in found.items() if those == ids]:
            raise OptionError(f"{name} and {same[0]} have the same text: nothing tells one from the other")
        found[name] = ids
    if len(found) < 2:
        raise OptionError("--concept must be given at least twice: a concept is what sets a text off from others")
    return found
