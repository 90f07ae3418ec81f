"""Files damaged in every way that is cheap to think of, and what must come of reading them."""

import json
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from models.errors import ModelError

__all__ = ["bounded", "damaged_bytes", "damaged_json", "outcome"]

_LIMIT = 1 << 30  # bytes of address space above what the process has
_SECONDS = 60  # for one file: a watchdog against endless loops, not a measure of speed
_COUNTS = [0, 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1]
_VALUES = [None, True, -1, 0, 1, 3, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), "", "x", [], [1], {}, {"a": 1}]


@contextmanager
def bounded() -> Iterator[None]:
    """Memory of the block is bounded: a header that claims a billion entries must not be believed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    try:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _LIMIT, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def outcome(read: Callable[[], None], about: object) -> str:
    """"" where `read` accepts its file, else the one line that refuses it. Anything else is a test's failure."""
    def too_slow(*_):
        raise TimeoutError("a damaged file kept its reader busy")

    before = signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(_SECONDS)
    try:
        read()
    except ModelError as error:
        line = str(error)
        assert line.isprintable() and len(line) > 10, f"{about}: {line!r}"
        return line
    except BaseException as error:
        raise AssertionError(f"{about}: {error!r}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return ""


def damaged_bytes(data: bytes, rng: np.random.Generator, header: int) -> bytes:
    """One variant of a binary file. header: its first bytes, which matter most and are hit most."""
    data = bytearray(data)
    end = header if rng.random() < 0.7 else len(data)
    at = int(rng.integers(0, end))
    match rng.integers(0, 8):
        case 0:
            del data[at:]
        case 1:
            for place in rng.integers(0, end, rng.integers(1, 9)):
                data[place] ^= 1 << rng.integers(0, 8)
        case 2:
            data[at] = rng.integers(0, 256)
        case 3:
            length = int(rng.integers(1, 64))
            data[at:at + length] = bytes(length)
        case 4:
            data[at:at + 8] = _COUNTS[rng.integers(0, len(_COUNTS))].to_bytes(8, "little")
        case 5:
            other = int(rng.integers(0, len(data)))
            length = int(rng.integers(1, 64))
            data[at:at + length] = data[other:other + length]
        case 6:
            del data[at:at + int(rng.integers(1, 64))]
        case 7:
            data[at:at] = rng.bytes(rng.integers(1, 64))
    return bytes(data)


def damaged_json(text: str, rng: np.random.Generator) -> str:
    """One variant of a JSON object: a value replaced or dropped anywhere in it, or its text hit."""
    if rng.random() < 0.3:
        return damaged_bytes(text.encode(), rng, len(text)).decode(errors="replace")
    data = json.loads(text)
    places = []

    def walk(node):
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(data)
    node, key = places[rng.integers(0, len(places))]
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = _VALUES[rng.integers(0, len(_VALUES))]
    return json.dumps(data)
