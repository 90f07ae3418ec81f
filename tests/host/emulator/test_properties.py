"""Any model, prompt cut anyhow, any kernels and threads: the emulator equals the golden model bit for bit."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.config import ModelConfig
from models.golden.closed_loop import ClosedLoop
from models.golden.head import top_k
from models.golden.model import GoldenModel, TapPoint
from models.golden.tap import NO_CLIP, Tap
from models.integers import embedding_rows, gain_vector, head_of_embedding
from models.machine.build import CHANNEL_UNIT, CPU, HEAD_UNIT
from models.machine.descriptor import Loop
from models.model import Layer, Model, TernaryMatrix
from models.synth import synthetic_model
from models.ternary import pack_trits
from tests.host.emulator.foreign import move_to_foreign
from tests.host.emulator.native_units import PATHS

TINY = replace(BUILDS["sim-tiny"], rows=2, row_batches=8, hidden_max=1024, inputs_max=2048, heads_max=24,
               accumulator_words=65536)
"""Frames in place of rows, tiles with padding, groups of two rows."""

PIECES = ("feed", "score", "decode")


@dataclass(frozen=True)
class Case:
    """What is drawn; everything else comes from the seed."""

    config: ModelConfig
    build: str
    kv_bits: int
    seed: int
    uniform: dict[str, int]  # matrices of equal trits
    loud: int  # exponent added to the scales of o and down
    outliers: bool
    fraction_bits: int | None
    taps: tuple[TapPoint, ...]
    pieces: tuple[tuple[str, int], ...]
    threads: int


@st.composite
def cases(draw, layers_max=2, size_max=100, tokens_max=24):
    kv_heads = draw(st.integers(1, 3))
    pieces = draw(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(1, 16)), min_size=1, max_size=4))
    pieces = [(kind, 1 if kind == "decode" else size) for kind, size in pieces]
    while sum(size for _, size in pieces) > tokens_max:
        pieces.pop(0)
    pieces = pieces or [("score", 1)]
    build = draw(st.sampled_from(["rows", "tiles"]))
    rows = build == "rows"
    widths = st.integers(1, size_max) if rows else st.integers(1, size_max // CHANNEL_UNIT).map(CHANNEL_UNIT.__mul__)
    head_unit = 2 if rows else HEAD_UNIT
    config = ModelConfig(
        name="any", vocab_size=draw(st.integers(1, size_max)), hidden_size=draw(widths),
        ffn_size=draw(widths), layers=draw(st.integers(1, layers_max)),
        heads=kv_heads * draw(st.integers(1, 8)), kv_heads=kv_heads,
        head_dim=head_unit * draw(st.integers(1, 64 // head_unit)),
        activation=draw(st.sampled_from(["relu2", "silu"])), sub_norms=draw(st.booleans()),
        tied_head=draw(st.booleans()), rope_theta=draw(st.sampled_from([1e4, 5e5])),
        rms_eps=draw(st.sampled_from([1e-5, 1e-6, 1.0])), context=tokens_max + draw(st.integers(0, 9)))
    points = [TapPoint(layer, site) for layer in range(config.layers)
              for site in ("qkv", "o", "gate_up", "down", "residual")] + [TapPoint(config.layers, "head")]
    return Case(
        config=config, build=build, kv_bits=draw(st.sampled_from([8, 16])),
        seed=draw(st.integers(0, 2**32 - 1)),
        uniform=draw(st.dictionaries(st.sampled_from(list(config.linear_shapes)), st.integers(-1, 1), max_size=2)),
        loud=draw(st.sampled_from([0, 0, 0, 6, 40, -40])), outliers=draw(st.booleans()),
        fraction_bits=draw(st.sampled_from([None, None, 0, 30, -10])),
        taps=tuple(draw(st.lists(st.sampled_from(points), max_size=3, unique=True))), pieces=tuple(pieces),
        threads=draw(st.integers(1, 4)))


def model_of(case: Case) -> Model:
    model, rng = synthetic_model(case.config, seed=case.seed % 1000), np.random.default_rng(case.seed)

    def matrix(name: str, linear: TernaryMatrix) -> TernaryMatrix:
        packed, scale = linear.packed, int(linear.scale)
        if name in case.uniform:
            packed = pack_trits(np.full(linear.shape, case.uniform[name], np.int8))
        if name in ("o", "down"):
            scale = scale & 0xFFFFFF | (scale + (case.loud << 24)) & 0xFF000000
        return replace(linear, packed=packed, scale=np.uint32(scale))

    def gains(given: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
        mantissas, exponent = given
        return gain_vector(spiky(mantissas * 2.0**-exponent)) if case.outliers else given

    def spiky(values: np.ndarray) -> np.ndarray:
        """Some channels 10**4 times as large."""
        return values * np.where(rng.random(values.shape[-1]) < 0.1, 1e4, 1)

    model.layers = [Layer({name: matrix(name, linear) for name, linear in layer.linears.items()},
                          {name: gains(given) for name, given in layer.gains.items()}) for layer in model.layers]
    model.final_gains = gains(model.final_gains)
    if case.outliers:
        model.embedding, model.embedding_exponents = embedding_rows(
            spiky(model.embedding * 2.0 ** -model.embedding_exponents[:, None].astype(np.float64)))
        if case.config.tied_head:
            model.head, model.head_scales = head_of_embedding(model.embedding, model.embedding_exponents)
        model.residual_fraction_bits = 10
    if case.fraction_bits is not None:
        model.residual_fraction_bits = case.fraction_bits
    return model


def taps_of(case: Case) -> dict[TapPoint, Tap]:
    rng, config, taps = np.random.default_rng(case.seed + 1), case.config, {}
    for point in case.taps:
        size = {"o": config.attention_size, "down": config.ffn_size}.get(point.site, config.hidden_size)
        taps[point] = Tap(
            gain=rng.integers(-32767, 32768, size).astype(np.int16),
            add=rng.integers(-3000, 3000, size).astype(np.int16),
            clip=rng.choice([NO_CLIP, 20000, 500], size).astype(np.uint16),
            threshold=rng.integers(0, 9000, size).astype(np.uint16), add_exponent=-14, clip_exponent=-13,
            threshold_exponent=-15)
        if point.site == "residual" and rng.random() < 0.5:  # a loop in its place
            taps[point] = ClosedLoop.of(*rng.integers(-32768, 32768, (2, size)), int(rng.integers(-50, -36)),
                                        int(rng.integers(-2**44, 2**44)), Loop(int(rng.integers(1, 4))))
    return taps


def check(case: Case, paths: list[str]) -> None:
    """Golden once, then every path, piece by piece."""
    model, taps = model_of(case), taps_of(case)
    ids = np.random.default_rng(case.seed + 2).integers(0, case.config.vocab_size, sum(n for _, n in case.pieces))
    golden = GoldenModel(model, kv_bits=case.kv_bits, taps=taps)
    logits = np.stack([golden.step(int(i)) for i in ids])
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    for path in paths:
        note(f"kernels {path}")
        foreign = path not in (*native_paths(), NUMPY)
        device = EmulatorDevice(build, kernels="portable" if foreign else path, threads=case.threads)
        session = Session(model, device, taps=taps)
        if foreign:
            move_to_foreign(device.machine, path)
        for kind, size in case.pieces:
            now = slice(session.position, session.position + size)
            if kind == "feed":
                session.feed(ids[now])
            elif kind == "score":
                assert (session.score(ids[now]) == logits[now]).all()
            else:
                top, (best, values) = session.decode(ids[now][0]), top_k(logits[now][0], build.top_k)
                assert (top.ids == best).all() and (top.logits == values).all()
        assert session.saturations == golden.saturations
        for layer, cache in enumerate(golden.caches):
            for name, found in session.cache(layer).items():
                assert (found == np.stack(getattr(cache, name), axis=1)).all(), name


@given(cases())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_any_small_model_equals_the_golden_model(case):
    check(case, [*native_paths(), NUMPY])


@pytest.mark.slow
@given(cases(layers_max=3, size_max=700, tokens_max=40))
@settings(max_examples=200, deadline=None, database=None, print_blob=True)
def test_any_model_equals_the_golden_model(case):
    check(case, [*PATHS, NUMPY])
