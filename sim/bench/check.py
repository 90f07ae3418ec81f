"""The simulated layers against the emulator, bit for bit."""

from __future__ import annotations

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.runtime import Session

__all__ = ["differences"]


def differences(session: Session, position: int, token: int = 0) -> list[str]:
    """Decode `token` at `position` on the session's device and on the emulator; name what is not equal.

    Compared: the best tokens, their integer logits (after every sum of every layer), and each layer's whole cache.
    """
    emulated = Session(session.model, EmulatorDevice(session.device.build))
    layers = [f"{layer}.kv" for layer in range(session.model.config.layers)]
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


def _region(session: Session, name: str) -> np.ndarray:
    start = session.program.memory[name]
    return session.buffer.array[start:start + session.program.memory.sizes[name]]
