"""A text whose passes are interrupted at random cycles, or whose core is reset amid bursts, is the emulator's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from hw.stream.reset_tree import SHORTEST_RESET
from models.errors import DeviceError
from models.synth import synthetic_model
from scripts.verify.inject.bench import InjectedDevice
from tests.families import FAMILIES
from tests.sim.cores import FOUR_SLOTS

PROMPT = [7, 60, 0, 13, 22]
CYCLES = 8000  # of a pass, about


def press():
    raise KeyboardInterrupt


def reset(device):
    return lambda: device.core.reset_alone(SHORTEST_RESET)


@pytest.mark.parametrize("tokens, resets", [(8, False), pytest.param(200, False, marks=pytest.mark.slow),
                                            pytest.param(200, True, marks=pytest.mark.slow)])
def test_each_pass_is_cut_once_and_the_text_is_right(tokens, resets):
    model = synthetic_model(replace(FAMILIES["relu2 grouped heads"], context=256), seed=2)
    expected = Engine(Session(model, EmulatorDevice(FOUR_SLOTS))).complete(Request(PROMPT, Sampler(0.0), tokens)).ids
    device, rng, cut, tries = InjectedDevice(FOUR_SLOTS), np.random.default_rng(tokens), 0, 0
    device.interval = 2000
    engine = Engine(Session(model, device))
    reply = engine.add(Request(PROMPT, Sampler(0.0), tokens))
    while reply.finish is None:
        if tries % 2 == 0:
            device.arm(reset(device) if resets else press, at=int(rng.integers(CYCLES)))
        tries += 1
        try:
            engine.step()
        except KeyboardInterrupt:
            cut += 1
        except DeviceError as error:
            assert resets and "was reset in the midst of a run" in str(error)
            cut += 1
    assert reply.ids == expected and len(reply.ids) == tokens
    assert cut > tokens / 2
    device.close()
