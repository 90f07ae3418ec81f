"""A model under wrong bits: draws of faults at growing rates, and what a stage makes of them.

Three places have wrong bits, one at a time. Weights: each bit of the packed codes flips once, before the run; a byte
that is no five trits counts as five zeros. Activations (int8, of the linear layers) and sums (int32) have each bit
flipped with the same probability whenever one is stored, by the machine in NumPy (`host.emulator.faulty_machine`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.devices.base import Device
from host.devices.emulator import EmulatorDevice
from host.emulator.faulty_machine import FaultyEmulator, FlipRates, flip_bits
from host.pipeline.placement import host_steps, place
from host.pipeline.stage import Stage
from host.runtime import Session
from host.scoring import total_nll
from models.machine.build import CPU
from models.model import Layer, Model

__all__ = ["PLACES", "RATES", "Cell", "area_ratio", "areas", "excess_area", "measure", "standard_error",
           "wrong_weights"]

PLACES = ("weights", "activations", "sums")
RATES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


class Cell(NamedTuple):
    """One place, one choice of stages, one rate. nll: nats a token of each draw, whose seeds are 0, 1, ...; flips,
    invalid: wrong bits and bytes that are no five trits, all draws together."""

    place: str
    stages: str
    rate: float
    nll: tuple[float, ...]
    flips: int
    invalid: int


def wrong_weights(model: Model, rate: float, rng: np.random.Generator) -> tuple[Model, int]:
    """A copy whose packed weights have each bit flipped with probability `rate`; and how many are."""
    flips = 0

    def wrong(layer: Layer) -> Layer:
        nonlocal flips
        linears = {name: replace(matrix, packed=matrix.packed.copy()) for name, matrix in layer.linears.items()}
        flips += sum(flip_bits(matrix.packed, rate, rng) for matrix in linears.values())
        return Layer(linears, layer.gains)

    return replace(model, layers=[wrong(layer) for layer in model.layers]), flips


def measure(model: Model, choices: Mapping[str, Sequence[Stage]], ids: Sequence[int], rates: Sequence[float] = RATES,
            draws: int = 5) -> list[Cell]:
    """Every place at every rate under every choice of stages; first, of each place and choice, rate 0, one draw.

    Draws of the same seed, place and rate share their generator's seed; in weights the same bits are wrong.
    """
    cells = []
    runs = list(product(PLACES, choices, (0.0, *rates)))
    for place_, name, rate in tqdm(runs, "faults", file=sys.stderr, disable=not sys.stderr.isatty()):
        found = [_draw(model, choices[name], ids, place_, rate, seed) for seed in range(draws if rate else 1)]
        nll, flips, invalid = zip(*found, strict=True)
        cells.append(Cell(place_, name, rate, nll, sum(flips), sum(invalid)))
    return cells


def _draw(model: Model, stages: Sequence[Stage], ids: Sequence[int], where: str, rate: float,
          seed: int) -> tuple[float, int, int]:
    """Nats a token, wrong bits, invalid bytes."""
    source = [seed, PLACES.index(where), round(-1000 * math.log10(rate)) if rate else 0]
    device: Device
    if where == "weights":
        model, flips = wrong_weights(model, rate, np.random.default_rng(source))
        device = EmulatorDevice(CPU)
    else:
        device = FaultyEmulator(CPU, FlipRates(**{where: rate}), source)
    placement = place(stages, model)
    session = Session(model, device, taps=placement.taps, host_steps=host_steps(placement, model))
    nll = total_nll(session, ids) / (len(ids) - 1)
    if isinstance(device, FaultyEmulator):
        return nll, device.machine.flips, 0
    invalid = sum(int(np.count_nonzero(matrix.packed > 242)) for layer in model.layers
                  for matrix in layer.linears.values())
    return nll, flips, invalid


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for a single value."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def areas(cells: Sequence[Cell], where: str, stages: str) -> list[float]:
    """Of each draw, the area under ln perplexity over log10 of the rate, by trapezia; rate 0 takes no part."""
    curve = [cell for cell in cells if (cell.place, cell.stages) == (where, stages) and cell.rate]
    nll = np.array([cell.nll for cell in curve])
    steps = np.diff(np.log10([cell.rate for cell in curve]))
    return list((steps @ (nll[1:] + nll[:-1]) / 2).tolist())


def area_ratio(cells: Sequence[Cell], where: str, stages: str, plain: str) -> tuple[float, float]:
    """Area under `stages` over that under `plain`, draw by draw: mean, standard error."""
    return _with_error([a / b for a, b in zip(areas(cells, where, stages), areas(cells, where, plain), strict=True)])


def excess_area(cells: Sequence[Cell], where: str, stages: str, plain: str) -> tuple[float, float]:
    """Area above that of `plain` without faults: mean, standard error. Below 0 where a model does better."""
    [clean] = [cell.nll[0] for cell in cells if (cell.place, cell.stages, cell.rate) == (where, plain, 0.0)]
    rates = [cell.rate for cell in cells if (cell.place, cell.stages) == (where, plain) and cell.rate]
    base = clean * math.log10(rates[-1] / rates[0])
    return _with_error([area - base for area in areas(cells, where, stages)])


def _with_error(values: Sequence[float]) -> tuple[float, float]:
    return mean(values), standard_error(values)
