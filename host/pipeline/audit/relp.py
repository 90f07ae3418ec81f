"""Which cheap estimate of what a component does comes nearest to patching it: gradients, or RelP's coefficients.

Source: "RelP: Faithful and Efficient Circuit Discovery via Relevance Patching"; the coefficients are
`models.train.relevance`'s.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from host.pipeline.audit.audit import Audit, add_model_and_text, at_least
from host.pipeline.audit.correlation import correlated, correlation_gap
from host.pipeline.audit.node_patching import ExactPatching, FloatPatching, nodes_of
from host.pipeline.audit.prompt_pairs import find_pairs, swapped_tokens
from host.pipeline.site import Site
from host.pipeline.steering.hooked_network import network_with_gradients
from host.pipeline.texts import text_ids
from host.text import Text
from models.checkpoint import load_model
from models.errors import OptionError
from models.markdown import markdown_table

__all__ = ["RelP"]

_NAMES: dict[str, str] = {Site.O: "attention outputs", Site.DOWN: "feed-forward outputs", Site.RESIDUAL: "residual"}
_NEURONS = "neurons"
_ATP, _RELP = "attribution patching", "RelP"
_LEAST = 2  # pairs, for an interval


class RelP(Audit):
    """Does relevance estimate patching better than the gradient does?"""

    name, summary = "relp", "attribution patching and RelP against true patching"
    description = ("Patches components of prompts that differ in one word, on the emulator and on the float network, "
                   "and correlates the effects with estimates by gradients and by RelP. It takes PyTorch.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Text and pairs."""
        add_model_and_text(parser, 65536)
        parser.add_argument("--pairs", type=int, default=48, help="of prompts (default: %(default)s)")
        parser.add_argument("--neurons", type=int, default=24,
                            help="a pair, drawn from those that its word changes (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """Correlations of every estimate with both kinds of patching, site by site."""
        at_least(options, tokens=1, pairs=_LEAST, neurons=1)
        model = load_model(options.model)
        network = network_with_gradients(model)
        from models.train.relevance import GRADIENTS, RELEVANCE  # behind the complaint where there is no PyTorch

        ids = text_ids(model, Path(options.text))[:options.tokens]
        exact, floats = ExactPatching(model), FloatPatching(network)
        pairs = find_pairs(ids, swapped_tokens(Text(model.folder)), options.pairs, exact.best_next)
        if len(pairs) < _LEAST:
            raise OptionError(f"{options.text} gives {len(pairs)} pairs of prompts: {_LEAST} are needed")
        kinds = {_ATP: (GRADIENTS, None), _RELP: (RELEVANCE, None),
                 "RelP without AH-rule": (RELEVANCE._replace(weights=False), None),
                 "random": (GRADIENTS, 1)}
        kind_of, effects, estimates = [], {"exact": [], "float": []}, {kind: [] for kind in kinds}
        for number, pair in enumerate(tqdm(pairs, "relp", unit="pair", file=sys.stderr,
                                           disable=not sys.stderr.isatty())):
            nodes = [*nodes_of(model, pair), *floats.neurons(pair, options.neurons, number)]
            kind_of.append(np.array([_NAMES[node.point.site] if node.channel is None else _NEURONS for node in nodes]))
            effects["exact"].append(exact.effects(pair, nodes))
            effects["float"].append(floats.effects(pair, nodes))
            for kind, (rules, seed) in kinds.items():
                estimates[kind].append(floats.estimates(pair, nodes, rules, None if seed is None else seed + number))
        return {"pairs": len(pairs), "rows": [_row(name, kind_of, effects, estimates)
                                              for name in (*_NAMES.values(), _NEURONS)]}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """A row a site and estimate, then who wins."""
        rows, said = [], []
        for one in found["rows"]:
            for kind, values in one["correlations"].items():
                rows.append([one["nodes of"], str(one["nodes"]), kind, _cell(values["exact"]), _cell(values["float"])])
            rows.append([one["nodes of"], str(one["nodes"]), "float patching", _cell(one["float and exact"]), "–"])
            said.append(f"{one['nodes of']}: {_winner(one['gap'])} ({_RELP} − {_ATP}: {_cell(one['gap'])})")
        return "\n\n".join([
            f"{found['pairs']} pairs of prompts. Pearson's r with the effect of patching, 95 % intervals over pairs.",
            markdown_table(["nodes", "count", "estimate", "r with the exact model's", "r with the float network's"],
                           rows), f"Against the exact model: {'; '.join(said)}."])


def _row(nodes: str, kind_of: list[np.ndarray], effects: dict[str, list[np.ndarray]],
         estimates: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Of the nodes of a kind."""
    chosen = [each == nodes for each in kind_of]

    def of(values: list[np.ndarray]) -> list[np.ndarray]:
        return [each[mask] for each, mask in zip(values, chosen, strict=True)]

    return {"nodes of": nodes, "nodes": int(sum(mask.sum() for mask in chosen)),
            "correlations": {kind: {what: list(correlated(of(values), of(effect))) for what, effect in effects.items()}
                             for kind, values in estimates.items()},
            "float and exact": list(correlated(of(effects["float"]), of(effects["exact"]))),
            "gap": list(correlation_gap(of(estimates[_RELP]), of(estimates[_ATP]), of(effects["exact"])))}


def _winner(gap: list[float]) -> str:
    _, low, high = gap
    return f"**{_RELP}** wins" if low > 0 else f"**{_ATP}** wins" if high < 0 else "a tie"


def _cell(interval: list[float]) -> str:
    value, low, high = interval
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
