"""Whether features of the Local Interaction Basis act on fewer others than those of simpler bases.

Source: "The Local Interaction Basis: Identifying Computationally-Relevant and Sparsely Interacting Features in Neural
Networks", which finds little of it in language models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.audit import Audit, add_model, at_least
from host.pipeline.audit.edge_ablation import EdgeAblation, strongest
from host.pipeline.audit.local_interaction import (
    Basis,
    edges_needed,
    interactions,
    local_interaction_basis,
    orthogonal_basis,
    principal_basis,
)
from host.pipeline.observing import residuals
from host.pipeline.steering.hooked_network import network_with_gradients
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model, load_model
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table

__all__ = ["InteractionBasis", "share_kept"]

PASSAGE = 32
_HELD = 0.9  # of all squared strengths
_SHARES = (0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 1.0)
_LOCAL, _PRINCIPAL = "local interaction", "principal components"
_DRAWS = 1000
_Pairs = Mapping[str, Sequence[Basis]]


class InteractionBasis(Audit):
    """Does the Local Interaction Basis make layers act sparsely on each other?"""

    name, summary = "interaction-basis", "sparsity of interactions between layers, by basis"
    description = ("Finds the Local Interaction Basis of the residual on one text, and on another leaves out the "
                   "weakest edges between a layer and the next, against principal components, channels and random "
                   "rotations. Ablations are the emulator's, Jacobians the float network's: it takes PyTorch.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Texts, and the layer whose edges are left out."""
        add_model(parser)
        parser.add_argument("--text", action="append", type=Path, required=True, metavar="FILE",
                            help="to fit bases on; may be given several times")
        parser.add_argument("--held-out", action="append", type=Path, required=True, metavar="FILE",
                            help="to leave edges out on; may be given several times")
        parser.add_argument("--layer", type=int, help="edges lead from its residual to the next layer's (default: the "
                            "middle)")
        parser.add_argument("--tokens", type=int, default=2048,
                            help="of each text, for variances (default: %(default)s)")
        parser.add_argument("--samples", type=int, default=32,
                            help=f"passages of {PASSAGE} tokens for Jacobians (default: %(default)s)")
        parser.add_argument("--passages", type=int, default=12,
                            help="held-out ones to leave edges out on (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """Edges that hold most of the interaction, pair by pair of layers, and what leaving edges out does at one."""
        at_least(options, tokens=PASSAGE, samples=2, passages=2)
        model = load_model(options.model)
        layers = model.config.layers
        layer = (layers - 1) // 2 if options.layer is None else options.layer
        if not 0 <= layer <= layers - 3:
            raise OptionError(f"--layer must lie within 0 .. {layers - 3}, as two layers must follow, got {layer}")
        network = network_with_gradients(model)
        from models.train.jacobians import jacobians  # behind the complaint where there is no PyTorch

        states = np.concatenate([residuals(model, EmulatorDevice(CPU), spread(text_ids(model, path), options.tokens,
                                                                              model.config.context), description="rows")
                                 for path in options.text], axis=1)
        samples = _passages(model, options.text, options.samples)
        slopes = np.stack([jacobians(network, ids[:PASSAGE]) for ids in tqdm(
            samples, "Jacobians", unit="passage", file=sys.stderr, disable=not sys.stderr.isatty())], axis=1)
        bases = _bases(states, slopes)
        ends = _last_rows(model, samples)
        strengths = {name: [interactions(ends[index], slopes[index], basis[index], basis[index + 1])
                            for index in range(layers - 1)] for name, basis in bases.items()}
        held_out = _passages(model, options.held_out, options.passages)
        divergence = _ablations(model, layer, bases, {name: of[layer] for name, of in strengths.items()}, held_out)
        return {"layer": layer, "passages": len(held_out), "samples": len(samples), "held": _HELD, "shares": _SHARES,
                "edges": {name: [edges_needed(each, _HELD) / each.size for each in of]
                          for name, of in strengths.items()},
                "divergence": {name: [each.mean(axis=1).tolist(), (each.std(axis=1, ddof=1) / np.sqrt(each.shape[1])
                                                                   ).tolist()] for name, each in divergence.items()},
                **_needed(divergence)}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """Edges by pair of layers, the divergence over edges left, and who needs fewest."""
        layer = found["layer"]
        pairs = len(next(iter(found["edges"].values())))
        edges = markdown_table(["basis", *(f"{index} → {index + 1}" for index in range(pairs))], [
            [name, *(f"{100 * share:.2f} %" for share in shares)] for name, shares in found["edges"].items()])
        left = markdown_table(["basis", *(f"{100 * share:g} % left" for share in found["shares"]), "needed"], [
            [name, *(f"{mean:.3f} ± {error:.3f}" for mean, error in zip(*found["divergence"][name], strict=True)),
             _percent(found["needed"][name])] for name in found["divergence"]])
        _, low, high = found["gap"]
        verdict = (f"The {_LOCAL} basis needs " + ("no fewer and no more edges than" if low <= 0 <= high else
                   "fewer edges than" if high < 0 else "more edges than") + f" {_PRINCIPAL}")
        fewest = min(found["needed"], key=lambda name: found["needed"][name][0])
        return "\n\n".join([
            f"Share of all edges that hold {100 * found['held']:g} % of the squared strengths, by pair of layers "
            f"({found['samples']} passages):", edges,
            f"Divergence of the next token's distribution from the intact model's, nats ± standard error, where the "
            f"strongest edges from layer {layer} to {layer + 1} alone are left, over {found['passages']} held-out "
            "passages. *Needed*: the share at which it falls to a tenth of what the loss of all edges costs, "
            "interpolated (95 % interval over passages).", left,
            f"{verdict}: {_percent(found['gap'])} of all. The lowest estimate is that of {fewest}."])


def share_kept(shares: Sequence[float], divergence: Sequence[float] | np.ndarray, left: float = 0.1) -> float:
    """The least share of edges from which on the divergence stays at `left` times its value at the first share or
    below; linear between shares."""
    if not divergence[0] > 0:
        return shares[0]
    limit = left * divergence[0]
    above = max(index for index, value in enumerate(divergence) if value > limit or index == 0)
    if above + 1 == len(shares):
        return shares[-1]
    part = (divergence[above] - limit) / (divergence[above] - divergence[above + 1])
    return float(shares[above] + part * (shares[above + 1] - shares[above]))


def _passages(model: Model, paths: Sequence[Path], count: int) -> list[list[int]]:
    """As many of each text, spread over it."""
    found = []
    for path in paths:
        ids = spread(text_ids(model, path), -(-count // len(paths)) * PASSAGE, PASSAGE)
        found += [list(ids[start:start + PASSAGE]) for start in range(0, len(ids) - PASSAGE + 1, PASSAGE)]
    if len(found) < 2:
        raise OptionError(f"{', '.join(map(str, paths))} make {len(found)} passages of {PASSAGE} tokens: 2 are needed")
    return found


def _bases(states: np.ndarray, slopes: np.ndarray) -> _Pairs:
    """Of each kind one a layer. slopes: [layers - 1, samples, hidden, hidden]."""
    layers, _, hidden = states.shape
    random = np.random.default_rng(0)
    turned = [np.linalg.qr(random.standard_normal((hidden, hidden)))[0] for _ in range(layers)]
    local = [principal_basis(states[-1])]
    for index in range(layers - 2, -1, -1):
        local.insert(0, local_interaction_basis(states[index], slopes[index], local[0]))
    return {_LOCAL: local, _PRINCIPAL: [principal_basis(each) for each in states],
            "channels": [orthogonal_basis(each) for each in states],
            "one random rotation": [orthogonal_basis(each, turned[0]) for each in states],
            "a random rotation a layer": [orthogonal_basis(*each) for each in zip(states, turned, strict=True)]}


def _last_rows(model: Model, passages: Sequence[Sequence[int]]) -> np.ndarray:
    """The emulator's residual at each passage's last token, float64 [layers, passages, hidden]."""
    return np.stack([residuals(model, EmulatorDevice(CPU), ids, skipped=0)[:, -1] for ids in passages], axis=1)


def _ablations(model: Model, layer: int, bases: _Pairs, strengths: Mapping[str, np.ndarray],
               passages: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The divergence, by basis float64 [shares, passages]."""
    ablation = EdgeAblation(model, layer)
    found = {name: np.zeros((len(_SHARES), len(passages))) for name in bases}
    for number, ids in enumerate(tqdm(passages, "edges", unit="passage", file=sys.stderr,
                                      disable=not sys.stderr.isatty())):
        intact = ablation.begin(ids)
        for name, of in bases.items():
            for row, share in enumerate(_SHARES):
                left = ablation.ablated(of[layer], of[layer + 1], strongest(strengths[name], share))
                found[name][row, number] = np.exp(intact) @ (intact - left)
    return found


def _needed(divergence: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Shares of edges needed, and by how much the local interaction basis needs more than principal components, each
    with the central 95 % over passages drawn anew, the same ones for all bases."""
    passages = next(iter(divergence.values())).shape[1]
    drawn = [np.arange(passages), *np.random.default_rng(0).integers(passages, size=(_DRAWS, passages))]
    shares = {name: np.array([share_kept(_SHARES, each[:, of].mean(axis=1)) for of in drawn])
              for name, each in divergence.items()}

    def interval(values: np.ndarray) -> list[float]:
        return [float(values[0]), *np.percentile(values[1:], (2.5, 97.5)).tolist()]

    return {"needed": {name: interval(each) for name, each in shares.items()},
            "gap": interval(shares[_LOCAL] - shares[_PRINCIPAL])}


def _percent(interval: Sequence[float]) -> str:
    value, low, high = (100 * each for each in interval)
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"
