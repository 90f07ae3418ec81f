"""Cores of few products a cycle, in multipliers of 18 bits, have the emulator's bits: logits, caches, ids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BOARDS
from hw.boards.technology import ECP5
from models.machine.build import BuildParameters
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.devices.test_emulator import random_ids, random_taps
from tests.sim.test_rtl_device import check_best

SMALL = BuildParameters(
    name="few products", clock_mhz=60, ports=1, rows=1, outputs_per_step=4, weight_buffer_steps=512,
    accumulator_words=1024, hidden_max=256, inputs_max=768, heads_max=8, group_max=8, head_dim_max=64, context_max=512,
    attention_pairs=1, query_word=4, lanes=1)
BUILDS = {
    "one pair, four elements": SMALL,
    "two pairs, eight elements": replace(SMALL, attention_pairs=2, query_word=8, lanes=2, rows=2),
    "one pair, whole beats": replace(SMALL, query_word=16, lanes=4),
    "sixteen bits": replace(SMALL, kv_bits=16, lanes=2),
}


@pytest.mark.slow  # a core a build
@pytest.mark.parametrize("name", list(BUILDS))
def test_equal_to_the_emulator(name, monkeypatch):
    build = BUILDS[name]
    board = BOARDS["sim-tiny"]
    monkeypatch.setitem(BOARDS, build.name, replace(
        board, name=build.name, build=build, device=replace(board.device, technology=ECP5)))
    simulated_device = RtlDevice(build)
    try:
        for seed, family in enumerate(("relu2 grouped heads", "llama plain")):
            model = synthetic_model(FAMILIES[family], seed=seed)
            taps, ids = random_taps(model.config, seed=seed), random_ids(model.config, 20)
            emulated, simulated = (Session(model, device, taps=taps)
                                   for device in (EmulatorDevice(build), simulated_device))
            for stall in (0.0, 0.2):
                simulated_device.configure(stall_probability=stall, seed=seed)
                assert (emulated.score(ids) == simulated.score(ids)).all()
            for layer in range(model.config.layers):
                expected, found = emulated.cache(layer), simulated.cache(layer)
                assert all((expected[what] == found[what]).all() for what in expected), layer
            check_best(*([session.prefill(ids[:5].tolist()), session.decode(int(ids[5])), session.decode(int(ids[6]))]
                         for session in (emulated, simulated)))
    finally:
        simulated_device.close()
