# amaranth: UnusedElaboratable=no
"""A second opinion: whole passes of the core before cocotbext-axi's memories, each byte the emulator's."""

from __future__ import annotations

import numpy as np
import pytest

from host.devices.base import Device
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from hw.core import Core
from models.synth import synthetic_model
from sim.runner import run_bench
from tests.families import FAMILIES
from tests.host.devices.test_emulator import random_ids

BUILD = BUILDS["sim-tiny"]


class RecordingEmulator(EmulatorDevice):
    """Keeps of each run what it was told, and the whole memory before and after."""

    place = Device.place  # a copy: the memory is all there is

    def __init__(self) -> None:
        super().__init__(BUILD, kernels="numpy")
        self.program, self.images = [], {}

    def allocate(self, size):
        buffer = super().allocate(size)
        self.base, self.memory = buffer.address, buffer.array
        return buffer

    def run(self, address, count, *positions, progress=None):
        number = len(self.program)
        self.images[f"before_{number}"] = self.memory.copy()
        cycles = super().run(address, count, *positions, progress=progress)
        self.images[f"after_{number}"] = self.memory.copy()
        self.program.append({"address": address, "count": count, "positions": list(positions),
                             "counters": {name: self.get(name) for name in ("ZEROS", "ACTIVATIONS")}})
        return cycles


@pytest.mark.slow  # what takes long is g++, for the whole core with its ports open to Python
@pytest.mark.parametrize("family, prompt, decodes, pause", [
    ("one head", 2, 1, 0.3), *(("relu2 grouped heads", 5, 3, pause) for pause in (0, 0.4, 0.8))])
def test_each_byte_of_memory_is_the_emulators(family, prompt, decodes, pause, tmp_path):
    model, device = synthetic_model(FAMILIES[family], seed=1), RecordingEmulator()
    session = Session(model, device)
    ids = random_ids(model.config, prompt + decodes).tolist()
    session.prefill(ids[:prompt])
    for token in ids[prompt:]:
        session.decode(token)
    assert len(device.program) > decodes
    np.savez(tmp_path / "runs.npz", **device.images)
    run_bench(Core(BUILD), "tests.sim.foreign_axi_bench", {
        "runs": str(tmp_path / "runs.npz"), "program": device.program, "ports": BUILD.ports, "base": device.base,
        "pause": pause})
