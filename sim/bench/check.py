"""The simulated layers against the emulator and the golden model, bit for bit."""

from __future__ import annotations

import numpy as np

from host.compiler.memory_map import cache_name
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.golden.head import top_k
from models.golden.model import GoldenModel

__all__ = ["differences", "golden_differences"]


def differences(session: Session, position: int, token: int = 0) -> list[str]:
    """Decode `token` at `position` on the session's device and on the emulator; name what is not equal.

    Compared: the best tokens, their integer logits (after every sum of every layer), and each layer's whole cache.
    """
    emulated = Session(session.model, EmulatorDevice(session.device.build), head=session.program.head,
                       taps=session.program.taps)
    layers = [cache_name(layer) for layer in range(session.model.config.layers)]
    for name in layers:
        _region(emulated, name)[:] = _region(session, name)
    tops = []
    for either in (session, emulated):
        either.position = position
        tops.append(either.decode(token))
    found = [name for name in layers if (_region(emulated, name) != _region(session, name)).any()]
    for what in ("ids", "logits"):
        if not np.array_equal(getattr(tops[0], what), getattr(tops[1], what)):
            found.append(what)
    return found


def golden_differences(session: Session, seed: int = 0) -> list[str]:
    """A full pass of a prompt, then a token, on the session's device and by the golden model; what is not equal.

    Compared: each layer's cache, the best tokens and their integer logits. The first layers' sums of all rows show in
    the cache of the layer behind them, the last layer's in the token's logits.
    """
    model, build = session.model, session.device.build
    ids = np.random.default_rng(seed).integers(0, model.config.vocab_size, session.rows + 1).tolist()
    session.reset()
    session.feed(ids[:-1])
    top = session.decode(ids[-1])
    golden = GoldenModel(model, kv_bits=build.kv_bits, taps=session.program.taps)
    for token in ids[:-1]:
        golden.feed(token)
    if session.program.head == "shortlist":
        listed, logits = golden.step_listed(ids[-1])
        best_ids, best = top_k(logits, len(top.ids), listed)
    else:
        best_ids, best = top_k(golden.step(ids[-1]), len(top.ids))
    found = []
    for layer, expected in enumerate(golden.caches):
        got = session.cache(layer)
        found += [f"{layer}.{name}" for name, values in got.items()
                  if not np.array_equal(values, np.stack(getattr(expected, name), axis=1))]
    return found + [name for name, got, expected in (("ids", top.ids, best_ids), ("logits", top.logits, best))
                    if not np.array_equal(got, expected)]


def _region(session: Session, name: str) -> np.ndarray:
    start = session.program.memory[name]
    return session.buffer.array[start:start + session.program.memory.sizes[name]]
