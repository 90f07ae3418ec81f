"""Passes that stop for the host have the bits of passes that don't, or the golden model's where stages act.

Any model, build, kernels, pieces of sequences, points.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.compiler.cuts import Cut, cuts_of
from host.compiler.program import PASS_KINDS, Program
from host.compiler.rows import Part
from host.compiler.turns import Step
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.pipeline.host_steps import HostSteps
from host.pipeline.observing import observe
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.golden.model import GoldenModel, TapPoint
from models.golden.norm_quant import norm_constants, normalise
from models.golden.residual import embed
from models.golden.tap import neutral_tap
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import assert_semaphores_hold, listed_programs, queue_order
from tests.host.compiler.test_sequences import TOKENS_MAX, plans
from tests.host.emulator.test_properties import TINY, cases, model_of, taps_of

SITES = ("attention_norm", "qkv", "o", "ffn_norm", "gate_up", "gate", "product", "down", "residual")


def points_of(config):
    return [TapPoint(layer, site) for layer in range(config.layers) for site in SITES] + [
        TapPoint(config.layers, "head")]


def run(session, plan, ids):
    """What every pass of a plan gives."""
    found = []
    for kind, parts, headless in plan.passes:
        given_ids = [(s, ids[s, session.positions[s]:session.positions[s] + rows]) for s, rows in parts]
        if kind == "score":
            found.append(session.score_parts(given_ids))
        elif kind == "decode":
            found += [part for top in session.advance(given_ids, headless) for part in (top.ids, top.logits)]
        else:
            session.run_pass(kind, given_ids)
    return found


def equal(a, b):
    assert len(a) == len(b) and all((x == y).all() for x, y in zip(a, b, strict=True))


def check_identity(case, plan, points, paths, head):
    model, taps = model_of(case), taps_of(case)
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    ids = np.random.default_rng(case.seed + 3).integers(0, case.config.vocab_size, (plan.sequences, TOKENS_MAX))
    for path in paths:
        note(f"kernels {path}")
        sessions, results, looked = [], [], set()

        def look(point, rows, unit, looked=looked):
            looked.add(point)

        for stops in ((), points):
            steps = HostSteps(model, taps=taps, looks={point: [look] for point in stops})
            device = EmulatorDevice(build, kernels=path, threads=case.threads)
            session = Session(model, device, taps=taps, sequences=plan.sequences, head=head, host_steps=steps)
            results.append(run(session, plan, ids))
            sessions.append(session)
        equal(*results)
        heads = any(kind in ("next", "score") or (kind == "decode" and headless < sum(rows for _, rows in parts))
                    for kind, parts, headless in plan.passes)
        assert looked == {point for point in points if point.site != "head" or heads}
        plain, stopped = sessions
        assert plain.positions == stopped.positions and plain.saturations == stopped.saturations
        for sequence, layer in np.ndindex(plan.sequences, case.config.layers):
            a, b = (session.cache(layer, sequence) for session in sessions)
            assert all((a[name] == b[name]).all() for name in a)


@given(cases(tokens_max=TOKENS_MAX), plans(), st.data())
@settings(max_examples=10, deadline=None, derandomize=True)
def test_a_stop_changes_no_bit(case, plan, data):
    check_stops(case, plan, data)


@pytest.mark.slow
@given(cases(tokens_max=TOKENS_MAX), plans(), st.data())
@settings(max_examples=100, deadline=None, database=None, print_blob=True)
def test_a_stop_changes_no_bit_of_many_more(case, plan, data):
    check_stops(case, plan, data)


def check_stops(case, plan, data):
    every = points_of(case.config)
    points = data.draw(st.one_of(st.just(every), st.lists(st.sampled_from(every), max_size=4, unique=True)))
    check_identity(case, plan, points, [*native_paths(), NUMPY], data.draw(st.sampled_from(["exact", "shortlist"])))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_site_in_turn(family):
    """Identity at one site of all layers, prefill in two pieces, two sequences, drafts."""
    config = FAMILIES[family]
    model = synthetic_model(config, seed=1)
    rng = np.random.default_rng(5)
    ids = rng.integers(0, config.vocab_size, 12).tolist()
    expected = None
    for site in (None, *SITES, "head"):
        points = [point for point in points_of(config) if point.site == site]
        steps = HostSteps(model, looks={point: [lambda *_: None] for point in points})
        session = Session(model, EmulatorDevice(CPU), sequences=2, host_steps=steps)
        session.feed(ids[:3])
        first = session.prefill(ids[3:7])
        session.prefill(ids[:4], sequence=1)
        tops = session.advance([(0, ids[7:10]), (1, ids[4:5])])
        session.positions[0] -= 2  # drafts that did not stand
        tops += session.advance([(0, ids[10:12])])
        found = [first.ids, first.logits, *(part for top in tops for part in (top.ids, top.logits))]
        expected = expected or found
        equal(found, expected)


def doubled(x, unit):
    return x * 2


def masked(x, unit):
    return np.where(np.arange(x.shape[-1]) % 3, x, 0)


@given(cases(tokens_max=12), st.data())
@settings(max_examples=10, deadline=None, derandomize=True)
def test_stages_and_norms_equal_the_golden_model(case, data):
    model, config = model_of(case), case.config
    points = data.draw(st.lists(st.sampled_from(points_of(config)), max_size=4, unique=True))
    stages = {point: data.draw(st.permutations([doubled, masked])) for point in points}
    taps = taps_of(case)

    def layer_norm(x, unit):
        return normalise(x - (x.sum(axis=-1, keepdims=True) // x.shape[-1]), unit, None,
                         norm_constants(x.shape[-1], 0, 1e-5))

    before_norms = [point for point in points_of(config) if point.site in ("attention_norm", "ffn_norm")]
    norms = dict.fromkeys(data.draw(st.lists(st.sampled_from(before_norms), max_size=2, unique=True)), layer_norm)
    golden = GoldenModel(model, kv_bits=case.kv_bits, taps=taps, stages=stages, norms=norms)
    ids = np.random.default_rng(case.seed + 3).integers(0, config.vocab_size, 9).tolist()
    expected = np.stack([golden.step(token) for token in ids])
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    steps = HostSteps(model, stages=stages, norms=norms, taps=taps)
    fabric = {point: tap for point, tap in taps.items() if point not in stages}
    for path in (*native_paths(), NUMPY):
        session = Session(model, EmulatorDevice(build, kernels=path), taps=fabric, host_steps=steps)
        assert (session.score(ids) == expected).all()


@pytest.mark.parametrize("build", ["rows", "tiles"])
def test_ranges_of_layers_make_the_whole(build):
    """Three sessions with a range of layers each, rows from one to the next, are one model."""
    config = replace(FAMILIES["silu full heads"], layers=5)
    model = synthetic_model(config, seed=3)
    parameters = {"rows": CPU, "tiles": TINY}[build]
    whole = Session(model, EmulatorDevice(parameters))
    ids = np.random.default_rng(0).integers(0, config.vocab_size, 9).tolist()
    expected = whole.score(ids)
    parts = [Session(model, EmulatorDevice(parameters), layers=layers)
             for layers in (range(2), range(2, 3), range(3, 5))]
    found = []
    for piece in (ids[:4], ids[4:]):
        rows = embed(model.embedding[piece], model.embedding_exponents[piece], model.residual_fraction_bits)
        for session in parts:
            rows = session.run_layers(rows, [(0, len(piece))], "score")
        found.append(parts[-1].logits(len(piece)))
    assert (np.concatenate(found) == expected).all()
    for layer in range(5):
        session = next(s for s in parts if layer in s.program.layers)
        a, b = whole.cache(layer), session.cache(layer)
        assert all((a[name] == b[name]).all() for name in a)
    with pytest.raises(OptionError, match="begins at layer 2"):
        parts[1].feed(ids)


def test_cuts_of_points():
    points = [TapPoint(0, "qkv"), TapPoint(0, "attention_norm"), TapPoint(0, "residual"), TapPoint(1, "residual"),
              TapPoint(1, "down"), TapPoint(2, "head"), TapPoint(1, "o")]
    assert cuts_of(points, range(2)) == (
        Cut(0, Step.QKV, False, True), Cut(1, Step.QKV, True, False), Cut(1, Step.OUT, False, True),
        Cut(1, Step.DOWN, False, True), Cut(1, Step.END, True, True))


@pytest.mark.parametrize("kind", PASS_KINDS)
@pytest.mark.parametrize("site", [*SITES, "head", "all"])
def test_semaphores_of_every_program_of_a_pass(kind, site):
    config = FAMILIES["relu2 grouped heads"]
    points = [point for point in points_of(config) if site in (point.site, "all")]
    build = replace(BUILDS["sim-tiny"], rows=8, row_batches=8, head_rows=4)
    program = Program(synthetic_model(config, seed=0), build, rows=64, sequences=16)
    parts = tuple(Part(s, 1 + s % 3) for s in range(16))
    for items in listed_programs(program, kind, sum(part.rows for part in parts), parts, 0, frozenset(points)):
        assert_semaphores_hold(items)
        queue_order(items, np.random.default_rng(0))


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("build", [BUILDS["sim-tiny"], CPU], ids=lambda build: build.name)
@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_pass_finds_its_slots(name, build, rows):
    """Of one row, a norm with its gains and tap takes more descriptors than a stop that gives the input back."""
    config, rng = FAMILIES[name], np.random.default_rng(1)
    sizes = {"o": config.attention_size, "down": config.ffn_size}
    tapped = [point for point in points_of(config)
              if point.site in ("qkv", "o", "gate_up", "down", "residual", "head")]
    taps = {point: neutral_tap(sizes.get(point.site, config.hidden_size)) for point in tapped}
    rows = min(rows, build.slots)
    program = Program(synthetic_model(config, seed=0), build, rows=rows, taps=taps)
    program.write(np.zeros(program.size, np.uint8), 0)
    drawn = [rng.permutation(len(tapped))[:rng.integers(len(tapped))] for _ in range(4)]
    ends = [point for point in tapped if point.site in ("residual", "head")]
    for stops in (ends, tapped, *([tapped[i] for i in places] for places in drawn)):
        for kind in PASS_KINDS:
            program.get_passes(kind, rows, (), 0, frozenset(stops))


def test_values_at_points_are_those_of_the_float_model_units():
    """The residual behind a layer, and what its quantised input stands for."""
    model = synthetic_model(FAMILIES["silu full heads"], seed=2)
    ids = np.random.default_rng(1).integers(0, model.config.vocab_size, 100).tolist()
    layers = model.config.layers
    points = [TapPoint(0, "residual"), TapPoint(1, "attention_norm"), TapPoint(1, "down"), TapPoint(layers, "head")]
    found = observe(model, EmulatorDevice(CPU), points, ids)
    assert {point: rows.shape for point, rows in found.items()} == {
        point: (100, model.config.ffn_size if point.site == "down" else model.config.hidden_size) for point in points}
    assert (found[points[0]] == found[points[1]]).all() and np.abs(found[points[0]]).max() > 0
    again = observe(model, EmulatorDevice(TINY), points, ids)
    assert all((found[point] == again[point]).all() for point in points), "builds differ in no bit"
