"""Passes that stop for the host on the simulated core: the emulator's bits, cut at every site, with stalls."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.runtime import Session
from host.text import Text
from hw.boards.registry import BUILDS
from models.checkpoint import load_model
from models.golden.model import TapPoint
from models.golden.residual import embed
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.compiler.test_stops import SITES, points_of
from tests.host.devices.test_emulator import random_ids, random_taps
from tests.sim.cores import FOUR_SLOTS

QUICK = (("exact", "relu2 grouped heads"), ("shortlist", "llama plain"))


@pytest.fixture(scope="module")
def rtl():
    device = RtlDevice(FOUR_SLOTS)
    yield device
    device.close()


def values(session, ids):
    """A prompt in two passes, another sequence, drafts of which two do not stand, all logits; then the caches."""
    found = [session.prefill(ids[:6]), session.prefill(ids[:3], sequence=1),
             *session.advance([(0, ids[6:9]), (1, ids[3:4])])]
    session.positions[0] -= 2
    found += session.advance([(1, ids[4:5]), (0, ids[9:11])])
    arrays = [part for top in found for part in (top.ids, top.logits)]
    arrays.append(session.score_parts([(0, ids[11:13]), (1, ids[5:6])]))
    for sequence in (0, 1):
        for layer in range(session.model.config.layers):
            arrays += session.cache(layer, sequence).values()
    return arrays


def masked(x, unit):
    """A stage that changes what comes by."""
    return np.where(np.arange(x.shape[-1]) % 5, x, x // 2)


@pytest.mark.parametrize(("head", "name"), [
    (head, name) if (head, name) in QUICK else pytest.param(head, name, marks=pytest.mark.slow)
    for head in ("exact", "shortlist") for name in FAMILIES])
def test_stops_at_every_site_equal_the_emulator(name, head, rtl):
    """Nothing done at one site after the other: the bits of a pass that doesn't stop. Then stages at all of them."""
    model = synthetic_model(FAMILIES[name], seed=1)
    taps, ids = random_taps(model.config, seed=2), random_ids(model.config, 13).tolist()
    rtl.configure(stall_probability=0.1, seed=3)

    def run(device, points, stages=()):
        steps = HostSteps(model, taps=taps, looks={point: [lambda *_: None] for point in points},
                          stages={point: [masked] for point in stages})
        fabric = {point: tap for point, tap in taps.items() if point not in stages}
        return values(Session(model, device, taps=fabric, sequences=2, head=head, host_steps=steps), ids)

    plain = run(EmulatorDevice(FOUR_SLOTS), ())
    sites = (*SITES, "head") if head == "exact" else ("head",)
    for site in sites:
        points = [point for point in points_of(model.config) if point.site == site]
        found = run(rtl, points)
        assert all((a == b).all() for a, b in zip(plain, found, strict=True)), site
    every = points_of(model.config)
    expected, found = run(EmulatorDevice(FOUR_SLOTS), (), every), run(rtl, (), every)
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))
    assert any((a != b).any() for a, b in zip(plain, found, strict=True)), "stages change something"


@pytest.mark.slow
def test_the_shipped_model_on_the_plain_build():
    """One session, whose passes stop at one site after the other, then at all: the bits of passes that never stop."""
    model, build = load_model("demo"), BUILDS["sim-tiny"]
    ids = Text(model.folder).encode("It was a")
    every = points_of(model.config)
    plain = pieces(Session(model, EmulatorDevice(build), sequences=2), ids)
    device = RtlDevice(build)
    try:
        session = Session(model, device, sequences=2)
        for site in (None, *SITES, "head", "all"):
            points = [point for point in every if site in (point.site, "all")]
            session.set_host_steps(HostSteps(model, looks={point: [lambda *_: None] for point in points}))
            found = pieces(session, ids)
            assert all((a == b).all() for a, b in zip(plain, found, strict=True)), site
    finally:
        device.close()


def pieces(session, ids):
    """A prompt and another sequence between its tokens: what is best, and the caches."""
    session.reset()
    tops = [session.prefill(ids[:-1]), session.decode(ids[0], sequence=1), session.decode(ids[-1])]
    return [part for top in tops for part in (top.ids, top.logits)] + [
        rows for sequence in (0, 1) for layer in range(session.model.config.layers)
        for rows in session.cache(layer, sequence).values()]


def test_ranges_of_layers_equal_the_whole(rtl):
    model = synthetic_model(replace(FAMILIES["silu full heads"], layers=3), seed=3)
    ids = random_ids(model.config, 7).tolist()
    rtl.configure(stall_probability=0.1, seed=4)
    expected = Session(model, EmulatorDevice(FOUR_SLOTS)).score(ids)
    rows = [embed(model.embedding[piece], model.embedding_exponents[piece], model.residual_fraction_bits)
            for piece in (ids[:4], ids[4:])]
    for layers in (range(2), range(2, 3)):
        session = Session(model, rtl, layers=layers)  # one device: one range after the other
        given, rows, logits = rows, [], []
        for piece in given:
            rows.append(session.run_layers(piece, [(0, len(piece))], "score"))
            if session.program.ends_model:
                logits.append(session.logits(len(piece)))
    assert (np.concatenate(logits) == expected).all()


def test_the_counters_leave_out_what_the_host_gives(rtl):
    model = synthetic_model(FAMILIES["llama plain"], seed=4)
    ids, points = random_ids(model.config, 5).tolist(), [TapPoint(0, "qkv"), TapPoint(1, "down")]
    rtl.configure()
    counted = []
    for device in (EmulatorDevice(FOUR_SLOTS), EmulatorDevice(FOUR_SLOTS, kernels="numpy"), rtl):
        session = Session(model, device, host_steps=HostSteps(model, looks={p: [lambda *_: None] for p in points}))
        session.prefill(ids)
        counted.append((session.counters.zeros, session.counters.activations))
    assert counted[0] == counted[1] == counted[2]
