"""A model built by hand that copies, with a head that looks as the copying head does and changes nothing.

Channels: a one-hot code of the token, that of the token before it, what is to come next, constants. Head 0.0 looks one
token back, by constants that rotate, and writes the earlier token's code. Head 1.1 looks for a token that stood behind
the current one and writes it into what comes next: an induction head. Head 1.2 looks there twice as sharply and writes
nothing: a decoy. The other heads look anywhere and write nothing.
"""

from __future__ import annotations

import numpy as np

from models.config import ModelConfig
from models.formats.source import FloatLayer, FloatLinear, FloatModel
from models.quantise import quantise_model

__all__ = ["DECOY", "INDUCTION", "PREVIOUS", "VOCABULARY", "planted_model"]

VOCABULARY = 24
PREVIOUS, INDUCTION, DECOY = (0, 0), (1, 1), (1, 2)
_HEADS, _SIZE, _FAST = 4, 64, 4  # the fastest pairs of channels tell neighbours apart
_TOKEN, _BEFORE, _NEXT = (slice(start * VOCABULARY, (start + 1) * VOCABULARY) for start in range(3))
_COS = slice(3 * VOCABULARY, 3 * VOCABULARY + _FAST)
_SIN = slice(_COS.stop, _COS.stop + _FAST)
_ONE = _SIN.stop
_CONFIG = ModelConfig(name="planted", vocab_size=VOCABULARY, hidden_size=_ONE + 4, ffn_size=8, layers=2,
                      heads=_HEADS, kv_heads=_HEADS, head_dim=_SIZE, activation="silu", sub_norms=False,
                      tied_head=False, rope_theta=1e12, rms_eps=1e-5, context=64)


def planted_model():
    """In machine integers. The previous-token head stands in layer 0, the other two in layer 1."""
    turn = _CONFIG.rope_theta ** -(2 * np.arange(_FAST) / _SIZE)  # radians a token
    embedding = np.zeros((VOCABULARY, _CONFIG.hidden_size), np.float32)
    embedding[:, _TOKEN] = 2 * np.eye(VOCABULARY)
    embedding[:, _COS], embedding[:, _SIN], embedding[:, _ONE] = np.cos(turn), np.sin(turn), 1
    head = np.zeros_like(embedding)
    head[:, _NEXT] = np.eye(VOCABULARY)
    slow = np.arange(_SIZE // 2 - VOCABULARY, _SIZE // 2)  # pairs that hardly turn within the context
    first, second = _matrices(), _matrices()

    def rows(where: tuple[int, int], within: np.ndarray) -> np.ndarray:
        return where[1] * _SIZE + within

    fast = np.arange(_FAST)
    first["q"][rows(PREVIOUS, fast), np.arange(_COS.start, _COS.stop)] = 1
    first["q"][rows(PREVIOUS, fast + _SIZE // 2), np.arange(_SIN.start, _SIN.stop)] = -1
    first["k"][rows(PREVIOUS, fast), _ONE] = 1
    _copies(first, PREVIOUS, _BEFORE)
    for where in (INDUCTION, DECOY):
        second["q"][rows(where, slow), np.arange(VOCABULARY)] = 1
        second["k"][rows(where, slow), np.arange(_BEFORE.start, _BEFORE.stop)] = 1
    for name, channels in (("q", _TOKEN), ("k", _BEFORE)):  # both halves of each pair: twice the dot product
        second[name][rows(DECOY, slow + _SIZE // 2), np.arange(channels.start, channels.stop)] = 1
    _copies(second, INDUCTION, _NEXT)
    layers = [FloatLayer({name: FloatLinear(trits, scale) for (name, trits), scale in zip(
        matrices.items(), (sharp, sharp, 1.0, written, 1.0, 1.0, 1.0), strict=True)},
        {name: np.ones(size, np.float32) for name, size in _CONFIG.gain_sizes.items()})
        for matrices, sharp, written in ((first, 6.0, 0.5), (second, 1.4, 1.0))]
    return quantise_model(FloatModel(_CONFIG, embedding, head, np.ones(_CONFIG.hidden_size, np.float32), layers))


def _matrices() -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.int8) for name, shape in _CONFIG.linear_shapes.items()}


def _copies(matrices: dict[str, np.ndarray], where: tuple[int, int], target: slice) -> None:
    """The head's values are the code of the token, and its output writes them to `target`."""
    mine = where[1] * _SIZE + np.arange(VOCABULARY)
    matrices["v"][mine, np.arange(VOCABULARY)] = 1
    matrices["o"][np.arange(target.start, target.stop), mine] = 1
