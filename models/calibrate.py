"""Fit a sparsity artefact: `python -m models.calibrate --model DIR --sparsity 0.4 --text FILE -o ARTEFACT`.

TEAL: magnitude thresholds on the inputs of linear layers, quantiles of |x| over a calibration text. Within each
layer the sparsity is shared out greedily: the site whose output suffers least for what it saves goes next.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.artefact_file import save_artefact
from models.checkpoint import TOKENIZER, load_model
from models.command import CommandParser, run_command
from models.dequantise import float_model
from models.errors import ModelError, OptionError
from models.float_twin import run_float
from models.formats.source import FloatLayer, FloatModel
from models.model_hash import model_hash
from models.output import check_output_file
from models.text_file import read_text_file
from models.vocabulary.tokenizer_json import load_tokenizer

__all__ = ["SITES", "calibrate_teal", "linear_inputs", "main", "parser"]

SITES = {"qkv": ("q", "k", "v"), "o": ("o",), "gate_up": ("gate", "up"), "down": ("down",)}
"""Linear inputs of a layer and the matrices that read them."""

_STEPS = 20  # sparsities tried at a site: multiples of a twentieth
_ROWS = 256  # tokens on which an error is measured


def linear_inputs(model: FloatModel, ids: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Inputs of the linear layers over windows of the context: per layer, site -> [tokens, channels]."""
    seen: list[dict[str, list[np.ndarray]]] = [defaultdict(list) for _ in model.layers]
    for start in tqdm(range(0, len(ids), model.config.context), "calibrating", unit="window", file=sys.stderr,
                      disable=not sys.stderr.isatty()):
        run_float(model, ids[start:start + model.config.context],
                  observe=lambda layer, site, x: seen[layer][site].append(x))
    return [{site: np.concatenate(parts) for site, parts in layer.items()} for layer in seen]


def _errors(layer: FloatLayer, site: str, x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Relative squared error of the site's products at each threshold."""
    rows = x[np.linspace(0, len(x) - 1, min(_ROWS, len(x))).astype(int)]
    weights = [layer.linears[name].trits.T.astype(np.float32) * layer.linears[name].scale for name in SITES[site]]
    total = sum(float(np.square(rows @ w).sum()) for w in weights)
    dropped = (np.where(np.abs(rows) <= t, rows, 0) for t in thresholds)
    return np.array([sum(float(np.square(d @ w).sum()) for w in weights) for d in dropped]) / max(total, 1e-30)


def _allocate(layer: FloatLayer, inputs: dict[str, np.ndarray], sparsity: float) -> list[float]:
    """Thresholds of one layer, in the order of SITES, whose weighted mean sparsity reaches `sparsity`."""
    grid = np.arange(_STEPS) / _STEPS
    thresholds = {site: np.quantile(np.abs(x), grid) * (grid > 0) for site, x in inputs.items()}
    errors = {site: _errors(layer, site, inputs[site], thresholds[site]) for site in SITES}
    weight = {site: sum(layer.linears[name].trits.size for name in names) for site, names in SITES.items()}
    level = dict.fromkeys(SITES, 0)
    whole = sum(weight.values())
    while sum(weight[s] * grid[level[s]] for s in SITES) < sparsity * whole - 1e-9:
        open_sites = [s for s in SITES if level[s] + 1 < _STEPS]
        cost = {s: (errors[s][level[s] + 1] - errors[s][level[s]]) / weight[s] for s in open_sites}
        level[min(open_sites, key=cost.__getitem__)] += 1
    return [float(thresholds[s][level[s]]) for s in SITES]


def calibrate_teal(model: FloatModel, ids: np.ndarray, sparsity: float) -> np.ndarray:
    """Thresholds float64 [layers, 4] at which about `sparsity` of the weights meet a zero input on such text."""
    if not 0 < sparsity < 0.95:
        raise OptionError(f"sparsity must lie between 0 and 0.95, got {sparsity}")
    inputs = linear_inputs(model, ids)
    return np.array([_allocate(layer, x, sparsity) for layer, x in zip(model.layers, inputs, strict=True)])


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("models.calibrate", description="Fit thresholds for sparse activation.")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--method", default="teal", choices=["teal"])
    parser.add_argument("--sparsity", type=float, default=0.4, metavar="S", help="share of zeros (default: 0.4)")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="text to calibrate on")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens of it to use (default: 4096)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="ARTEFACT")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    thresholds = _calibrate(options)
    if options.json:
        result = {"method": options.method, "thresholds": thresholds.tolist(), "artefact": str(options.output)}
        print(json.dumps(result))
    else:
        print(f"thresholds for {len(thresholds)} layers written to {options.output}")


def _calibrate(options: argparse.Namespace) -> np.ndarray:
    if options.tokens < 1:
        raise OptionError(f"--tokens must be at least 1, got {options.tokens}")
    check_output_file(options.output)
    model, text = load_model(options.model), read_text_file(options.text)
    path = model.folder / TOKENIZER
    if not path.is_file():
        raise ModelError(f"{model.folder} has no {TOKENIZER}, which is needed to read a text")
    ids = np.array(load_tokenizer(path).encode(text, add_special_tokens=False).ids[:options.tokens])
    if not len(ids):
        raise OptionError(f"{options.text} is empty")
    thresholds = calibrate_teal(float_model(model), ids, options.sparsity)
    save_artefact(options.output, "sparsity", options.method, tuple(SITES), {"thresholds": thresholds},
                  model=model_hash(model), fit={"sparsity": options.sparsity, "text": options.text.name,
                                                "tokens": len(ids)})
    return thresholds


if __name__ == "__main__":
    run_command(main)
