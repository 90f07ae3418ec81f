"""Tokens of a model on a device, against the emulator's."""

from __future__ import annotations

import numpy as np

from host.bringup.check import Check, failed, passed
from host.devices.base import Device
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.model import Model

__all__ = ["check_tokens"]

_PROMPT = 8
_AGAIN = "run python -m host.selftest without --model: its lines say which unit is wrong"


def check_tokens(model: Model, device: Device, count: int, seed: int = 0) -> Check:
    """`count` greedy tokens after a prompt of random ids, with the logits of the best of each."""
    prompt = np.random.default_rng(seed).integers(0, model.config.vocab_size, _PROMPT).tolist()
    expected = Session(model, EmulatorDevice(device.build))
    session = Session(model, device)
    top, wanted = session.prefill(prompt), expected.prefill(prompt)
    for n in range(count):
        if not (np.array_equal(top.ids, wanted.ids) and np.array_equal(top.logits, wanted.logits)):
            return failed("tokens", f"token {n} of {count} is {top.ids[0]} with logit {top.logits[0]}, and the "
                                    f"emulator's {wanted.ids[0]} with {wanted.logits[0]}", _AGAIN)
        if n < count - 1:
            token = int(wanted.ids[0])
            top, wanted = session.decode(token), expected.decode(token)
    return passed("tokens", f"{count} tokens of {model.config.name} equal the emulator's")
