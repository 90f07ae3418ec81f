"""What int8 activations cost a model that was trained with float ones: `python -m
scripts.experiments.measure_float_activations [--model DIR | --preset NAME] [--layers K] [--outliers FACTOR]`.

The logits of random ids by the emulator, and by the float twin with int8 inputs of its layers' matrices, are held to
those of the float twin whose activations stay float32. Random weights have no outliers; `--outliers` multiplies every
hundredth gain in front of the matrices, as trained models have a few channels that are larger than all others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.config import PRESETS
from models.dequantise import float_model
from models.errors import OptionError
from models.float_twin import float_logits
from models.formats.source import FloatModel
from models.machine.build import CPU
from models.markdown import markdown_table
from models.quantise import quantise_model
from models.synth import synthetic_model

__all__ = ["agreement", "main", "with_outliers"]

_EACH = 100


def agreement(logits: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Of logits, [n, vocab], with those expected: cosine, the mean and the least; how often the best id is the same;
    the Kullback-Leibler divergence of their distributions, nats."""
    cosine = (logits * expected).sum(axis=1) / np.linalg.norm(logits, axis=1) / np.linalg.norm(expected, axis=1)
    theirs, ours = (x - x.max(axis=1, keepdims=True) for x in (expected, logits))
    theirs, ours = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in (theirs, ours))
    return {"cosine": float(cosine.mean()), "cosine_min": float(cosine.min()),
            "best_equal": float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean()),
            "divergence": float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean())}


def with_outliers(model: FloatModel, factor: float) -> FloatModel:
    """Every hundredth gain of the norms in front of a layer's matrices times `factor`."""
    def larger(gains: np.ndarray) -> np.ndarray:
        return gains * np.where(np.arange(len(gains)) % _EACH == 7, np.float32(factor), np.float32(1))

    layers = [replace(layer, gains={name: larger(gains) if name not in ("q", "k") else gains
                                    for name, gains in layer.gains.items()}) for layer in model.layers]
    return replace(model, layers=layers)


def _measured(model: Model, twin: FloatModel, ids: np.ndarray) -> dict[str, dict[str, float]]:
    expected = float_logits(twin, ids, int8=False).astype(np.float64)
    emulated = Session(model, EmulatorDevice(CPU)).score(ids) / 65536.0
    return {"emulator": agreement(emulated, expected),
            "float twin, int8 inputs": agreement(float_logits(twin, ids).astype(np.float64), expected)}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.measure_float_activations",
                           description="What int8 activations cost a model that was trained with float ones.")
    parser.add_argument("--model", metavar="DIR", help="a model's folder (default: random weights of --preset)")
    parser.add_argument("--preset", default="bonsai-1.7b", metavar="NAME", help="a shape (default: %(default)s)")
    parser.add_argument("--layers", type=int, metavar="K", help="of the shape's layers, the first K")
    parser.add_argument("--vocab", type=int, default=4096, help="rows of the vocabulary (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=64, help="ids that are run (default: %(default)s)")
    parser.add_argument("--outliers", type=float, metavar="FACTOR", help="of every hundredth gain")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.model is None and options.preset not in PRESETS:
        raise OptionError(f"unknown preset {options.preset!r}; known: {', '.join(PRESETS)}")
    if options.tokens < 1:
        raise OptionError(f"--tokens must be at least 1, got {options.tokens}")
    if options.model is not None:
        model = load_model(options.model)
    else:
        shape = PRESETS[options.preset]
        print(f"random weights of {options.preset}", file=sys.stderr)
        # a head of its own: the embedding's random rows would find themselves in the residual
        model = synthetic_model(replace(shape, layers=options.layers or shape.layers, vocab_size=options.vocab,
                                        tied_head=False, bos_id=None, eos_ids=()), seed=0)
    twin = float_model(model)
    if options.outliers is not None:
        twin = with_outliers(twin, options.outliers)
        model = quantise_model(twin)
    ids = np.random.default_rng(1).integers(0, model.config.vocab_size, min(options.tokens, model.config.context))
    found = _measured(model, twin, ids)
    if options.json:
        print(json.dumps({"model": model.config.name, "layers": model.config.layers, "tokens": len(ids), **found}))
        return
    rows = [[what, f"{f['cosine']:.5f}", f"{f['cosine_min']:.5f}", f"{100 * f['best_equal']:.1f} %",
             f"{f['divergence']:.2g}"] for what, f in found.items()]
    print(markdown_table(["against float activations", "cosine", "least", "same best id", "divergence, nats"], rows))


if __name__ == "__main__":
    run_command(main)
