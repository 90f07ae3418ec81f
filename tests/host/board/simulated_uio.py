"""A UIO device for a line of a simulated fabric: a pseudo-terminal with the kernel's side in a thread."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Callable

__all__ = ["SimulatedUio"]

_WORD = 4


class SimulatedUio:
    """`path` is what the runtime opens. high: whether the line is; it is asked when the interrupt is armed, as the
    simulated fabric's runs end inside the write that starts them. dead: it never fires. `arms` counts."""

    def __init__(self, high: Callable[[], bool], *, dead: bool = False):
        self._kernel, self._user = os.openpty()
        tty.setraw(self._user)
        self.path, self.arms, self._high, self._dead = os.ttyname(self._user), 0, high, dead
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while len(os.read(self._kernel, _WORD)) == _WORD:
            self.arms += 1
            if self._high() and not self._dead:
                os.write(self._kernel, self.arms.to_bytes(_WORD, "little"))
