"""A device beside the emulator: the same tokens on both, and whether what follows is the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from host.runtime import Session, Top
from models.errors import DeviceError
from models.model import Model

__all__ = ["BesideEmulator", "TokenError"]


class TokenError(Exception):
    """A token, or the memory around the buffer, that is not as it must be."""


class BesideEmulator:
    """model: on both. session: on the device. expected: on the emulator."""

    model: Model
    session: Session
    expected: Session

    def begin(self, tokens: Iterable[int]) -> None:
        """A new text, of these tokens on both."""
        self.session.reset()
        self.expected.reset()
        for token in tokens:
            self.check(int(token))

    def check(self, token: int) -> None:
        """Append a token on both, where the device takes it; `TokenError` where what follows differs."""
        found = self.session.decode(token)
        self.compare(self.expected.decode(token), found)

    def recover_session(self, tokens: Iterable[int], *, lost: bool) -> None:
        """What a user does behind an error: `Session.recover`. lost: the device has lost its session's memory, which it
        must say; then all is written anew, and a text of these tokens begins."""
        if not lost:
            self.session.recover()
            return
        try:
            self.session.recover()
        except DeviceError:
            self.session.recover(rewrite=True)
            self.begin(tokens)
        else:
            raise TokenError("a board that lost its session was taken for one that has not")

    def compare(self, expected: Top, found: Top) -> None:
        """`TokenError` unless ids and logits are equal."""
        if found.ids.tolist() != expected.ids.tolist() or found.logits.tolist() != expected.logits.tolist():
            raise TokenError(f"id {found.ids[0]} in place of {expected.ids[0]} at position {self.session.position - 1}")

    def compare_caches(self) -> None:
        """`TokenError` unless the caches hold the same."""
        for layer in range(self.model.config.layers):
            expected, found = self.expected.cache(layer), self.session.cache(layer)
            for name, values in expected.items():
                if not np.array_equal(values, found[name]):
                    raise TokenError(f"the cache's {name} of layer {layer} differ")
