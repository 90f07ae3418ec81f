"""Long work says what it does, from its first second on."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["working"]

_EVERY = 1.0  # seconds


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says `what` on standard error and, on a terminal, counts the seconds beside it until the block ends."""
    if sys.stderr is None or not sys.stderr.isatty():
        if sys.stderr is not None:
            print(what, file=sys.stderr, flush=True)
        yield
        return
    ended = threading.Event()
    columns, rows = shutil.get_terminal_size()  # of a terminal that does not know its own, 80 and 24
    with tqdm(desc=what, bar_format="{desc}, {elapsed}", file=sys.stderr, ncols=columns, nrows=rows) as line:
        def count() -> None:
            while not ended.wait(_EVERY):
                line.refresh()

        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            ended.set()
            counter.join()
