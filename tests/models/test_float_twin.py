import numpy as np
import pytest

from models.float_twin import float_logits, run_float
from models.formats import read_checkpoint
from models.formats.source import FloatLayer, FloatLinear, FloatModel
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.small import PLAIN, SMALL


def random_model(config, seed=0):
    rng = np.random.default_rng(seed)

    def layer():
        linears = {name: FloatLinear(rng.integers(-1, 2, shape).astype(np.int8), float(shape[1] ** -0.5))
                   for name, shape in config.linear_shapes.items()}
        return FloatLayer(linears, {name: rng.uniform(0.5, 2, size).astype(np.float32)
                                    for name, size in config.gain_sizes.items()})

    def table():
        return rng.standard_normal((config.vocab_size, config.hidden_size), np.float32)

    return FloatModel(config, table(), None if config.tied_head else table(),
                      rng.uniform(0.5, 2, config.hidden_size).astype(np.float32),
                      [layer() for _ in range(config.layers)])


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


@needs_fixtures
@pytest.mark.parametrize(("folder", "least"), [
    # int8 roundings of relu2_gqa flip within the reference's own noise: its minimum is one of them
    ("relu2_gqa/hf_bf16_online", 0.99999), ("relu2_gqa/hf_1bitllm", 0.99999),
    ("silu_mha/hf_1bitllm", 0.999999), ("llama_plain/hf_llama_online", 0.999999),
    # scales stored in bf16 are other weights than the masters that the reference ran
    ("relu2_gqa/hf_packed_autobitlinear", 0.999), ("relu2_gqa/hf_packed_bitlinear", 0.999),
    ("silu_mha/hf_packed_autobitlinear", 0.999), ("llama_plain/hf_llama_packed_default", 0.9999),
])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_are_those_of_transformers(folder, least, dtype):
    path = FIXTURES / folder
    reference = np.load(path.parent / "logits_float32.npy")
    logits = float_logits(read_checkpoint(path), np.load(path.parent / "ids.npy"), dtype)
    assert logits.dtype == dtype and logits.shape == reference.shape
    if dtype is np.float32:  # which roundings flip depends on the order of sums, so on the machine
        least = min(least, 0.9995)
    assert cosines(logits, reference).min() >= least
    assert cosines(logits, reference).mean() >= 1 - (1 - least) / 2
    np.testing.assert_array_equal(logits.argmax(-1), reference.argmax(-1))
    assert np.linalg.norm(logits) == pytest.approx(np.linalg.norm(reference), rel=2e-3)


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_a_token_does_not_see_later_ones(config):
    model = random_model(config)
    ids = np.arange(12) % config.vocab_size
    changed = ids.copy()
    changed[7:] += 1
    a, b = (float_logits(model, x, np.float64) for x in (ids, changed))
    np.testing.assert_allclose(a[:7], b[:7], rtol=1e-9)
    assert np.abs(a[7:] - b[7:]).max() > 1e-3


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_one_token_by_hand(config):
    """At position 0, attention returns the value head of each group and RoPE does nothing."""
    model, eps = random_model(config), config.rms_eps

    def norm(x, gains):
        return x / np.sqrt(np.mean(x**2) + eps) * gains

    def linear(x, linear):
        s = 127 / max(np.abs(x).max(), 1e-5)
        return (linear.trits.astype(float) * linear.scale) @ (np.round(x * s) / s)

    h = model.embedding[5].astype(float)
    largest = np.abs(h).max()
    for layer in model.layers:
        x = norm(h, layer.gains["input"])
        v = linear(x, layer.linears["v"]).reshape(config.kv_heads, -1)
        out = v[[head * config.kv_heads // config.heads for head in range(config.heads)]].reshape(-1)
        out = norm(out, layer.gains["attn_sub"]) if config.sub_norms else out
        h = h + linear(out, layer.linears["o"])
        largest = max(largest, np.abs(h).max())
        x = norm(h, layer.gains["post_attention"])
        gate, up = linear(x, layer.linears["gate"]), linear(x, layer.linears["up"])
        out = up * (np.maximum(gate, 0) ** 2 if config.activation == "relu2" else gate / (1 + np.exp(-gate)))
        out = norm(out, layer.gains["ffn_sub"]) if config.sub_norms else out
        h = h + linear(out, layer.linears["down"])
        largest = max(largest, np.abs(h).max())
    head = model.embedding if config.tied_head else model.head
    run = run_float(model, np.array([5]), np.float64)
    np.testing.assert_allclose(run.logits[0], head.astype(float) @ norm(h, model.final_gains), rtol=1e-9)
    assert run.residual_max == pytest.approx(largest)


def test_a_zero_token_gives_finite_logits():
    model = random_model(SMALL)
    model.embedding[3] = 0
    assert np.isfinite(float_logits(model, np.array([3, 3]))).all()
