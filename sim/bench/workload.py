"""What is simulated: a few of a model's layers with its true shapes, and a cache that already holds a sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from host.compiler.memory_map import cache_name
from host.runtime import Session
from models.checkpoint import load_config, load_model
from models.config import PRESETS, ModelConfig
from models.errors import OptionError
from models.golden.closed_loop import ClosedLoop
from models.golden.model import TapPoint
from models.machine.scalar_format import MANTISSA_BITS, pack_words
from models.model import Model
from models.synth import synthetic_model

__all__ = ["Workload", "fill_cache", "load_workload", "random_loops"]

_SCALE_EXPONENT = -6  # of the random cache: keys and values of the order of one


@dataclass(frozen=True)
class Workload:
    """`model`: `layers` of the whole model's layers, and `vocabulary` rows of its head; `whole`: its true shape."""

    whole: ModelConfig
    model: Model

    @property
    def layers(self) -> int:
        """Layers that are simulated."""
        return self.model.config.layers

    @property
    def layer_scale(self) -> float:
        """The whole model's layers for each one that is simulated."""
        return self.whole.layers / self.layers

    @property
    def head_scale(self) -> float:
        """The whole head's rows for each one that is simulated."""
        return self.whole.vocab_size / self.model.config.vocab_size

    @property
    def layer_weights(self) -> int:
        """Ternary weights of one layer, without any padding."""
        return sum(outputs * inputs for outputs, inputs in self.whole.linear_shapes.values())


def load_workload(name: str, *, layers: int, vocabulary: int | None = None, seed: int = 0) -> Workload:
    """`layers` layers of a preset's shape with random weights, or the first ones of a model's folder.

    vocabulary: at most so many rows of embedding and head are made (None: all).
    Raises `ModelError` for an unknown model, `OptionError` for layers that it does not have.
    """
    whole = load_config(name)
    if not 1 <= layers <= whole.layers:
        raise OptionError(f"layers must be 1 to the model's {whole.layers}, got {layers}")
    rows = whole.vocab_size if vocabulary is None else min(vocabulary, whole.vocab_size)
    if rows < 1:
        raise OptionError(f"rows of the vocabulary must be at least 1, got {vocabulary}")
    config = replace(whole, layers=layers, vocab_size=rows, bos_id=None, eos_ids=())
    if name in PRESETS:
        return Workload(whole, synthetic_model(config, seed, progress=True))
    model = load_model(name)
    return Workload(whole, replace(
        model, config=config, layers=model.layers[:layers], embedding=model.embedding[:rows],
        embedding_exponents=model.embedding_exponents[:rows], head=model.head[:rows],
        head_scales=model.head_scales[:rows]))


def random_loops(model: Model, seed: int = 0) -> dict[TapPoint, ClosedLoop]:
    """A closed loop behind every layer, which acts on every row and moves it by little."""
    rng, hidden = np.random.default_rng(seed), model.config.hidden_size
    return {TapPoint(layer, "residual"): ClosedLoop.of(*rng.integers(-32767, 32768, (2, hidden)), -54, 1 << 44)
            for layer in range(model.config.layers)}


def fill_cache(session: Session, seed: int = 0) -> None:
    """Random keys, values and scales at every position of every layer and sequence: valid, of the order of one."""
    rng = np.random.default_rng(seed)
    config, kv, number = session.model.config, session.program.memory.kv, session.device.build.kv
    n = config.context
    for layer, sequence in np.ndindex(config.layers, len(session.positions)):
        start = session.program.memory[cache_name(layer, sequence)]
        region = session.buffer.array[start:start + kv.layer_bytes]
        for what in ("key_scales", "value_scales"):
            mantissas = rng.integers(1 << MANTISSA_BITS - 1, 1 << MANTISSA_BITS, (kv.kv_heads, n))
            words = pack_words(mantissas, np.full((kv.kv_heads, n), _SCALE_EXPONENT)).astype("<u4")
            region[kv.places(what, np.arange(n), 4)] = words[..., None].view(np.uint8)
        for what in ("keys", "values"):
            shape = (kv.kv_heads, n, config.head_dim)
            numbers = number.stored(rng.integers(-number.limit, number.limit + 1, shape))
            region[kv.places(what, np.arange(n), number.bytes_of(config.head_dim))] = numbers
        session.device.flush(session.buffer, start, kv.layer_bytes)
