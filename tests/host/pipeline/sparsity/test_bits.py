"""Every mask, alone and three at once, has the golden model's bits: in NumPy, in the kernels, with taps and without."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.pipeline.placement import acting_alone, host_steps, place
from host.pipeline.sparsity.zeros import Zeros
from host.runtime import Session
from models.golden.model import GoldenModel
from models.machine.build import CPU
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import METHODS, fitted, model_of

IDS = [5, 7, 2]
SETS = (*((name,) for name in METHODS), ("wina", "spark", "tau-gate"), ("chess", "teal", "random-per-token"))


def golden(model, stages):
    acting = acting_alone(stages, model)
    machine = GoldenModel(model, stages=acting.stages, norms=acting.norms)
    return np.array([machine.step(token) for token in IDS])


def emulated(model, stages, where, kernels):
    placement = place(stages, model, where)
    steps = host_steps(placement, model)
    session = Session(model, EmulatorDevice(CPU, kernels=kernels), taps=placement.taps, host_steps=steps)
    return session.score(IDS)


@pytest.mark.parametrize("family", [
    "relu2 grouped heads", *(pytest.param(name, marks=pytest.mark.slow) for name in list(FAMILIES)[1:])])
@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_device_and_golden_model_agree(family, names):
    model, stages = model_of(family), [fitted(name, family) for name in names]
    expected = golden(model, stages)
    for kernels, where in ((next(iter(native_paths()), NUMPY), "auto"), (NUMPY, "cpu")):
        assert (emulated(model, stages, where, kernels) == expected).all(), (kernels, where)
    assert (emulated(model, [], "auto", "auto") != expected).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_exact_zeros_change_no_bit(family):
    model = model_of(family)
    expected = emulated(model, [], "auto", NUMPY)
    assert (emulated(model, [Zeros()], "cpu", NUMPY) == expected).all() and (golden(model, [Zeros()]) == expected).all()
    three = [fitted("wina", family), fitted("spark", family)]
    assert (golden(model, [*three, Zeros()]) == golden(model, three)).all()


@pytest.mark.parametrize("name, runs", [
    ("chess", "both"), ("fixed-random", "fabric"), ("oracle", "cpu"), ("random-per-token", "cpu"), ("spark", "cpu"),
    ("tau-gate", "fabric"), ("teal", "fabric"), ("top-k", "cpu"), ("wina", "cpu")])
def test_where_each_runs(name, runs):
    family = "silu full heads"
    stage, model = fitted(name, family), model_of(family)
    assert place([stage], model).where(stage.points(model)) == runs
