"""A model's image into a board's memory: what is there already is not sent again (docs/link.md).

A page behind the image holds a header: the image's SHA-256 and size. It is written before the image, so where it
agrees, memory holds that image or a part of it, and CRCs by the board tell which. What is zero, as caches and places of
programs are, is always filled anew.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.link.client import Client
from host.link.failures import LinkError
from models.machine.link import BEAT

__all__ = ["PAGE", "Run", "header_of", "runs_of", "upload"]

PAGE = 4096
"""Bytes that are filled, checked and sent together at least."""
_HEADER = Struct("<8sQ32s")  # padded to beats
_MAGIC = b"TRITLOOM"
_HEADER_BYTES = -(-_HEADER.size // BEAT) * BEAT
_LONGEST = 1 << 20  # bytes of one request to check or fill
_ROUNDS = 3


class Run(NamedTuple):
    """Whole pages of an image, of zeros alone or not."""

    start: int
    size: int
    zero: bool


def header_of(image: np.ndarray) -> bytes:
    """What stands in the page behind an image."""
    return _HEADER.pack(_MAGIC, image.size, hashlib.sha256(image).digest()).ljust(_HEADER_BYTES, b"\0")


def runs_of(image: np.ndarray) -> Iterator[Run]:
    """An image's pages, those next to each other that are alike together. Its size is a multiple of `PAGE`."""
    filled = np.asarray(image.reshape(-1, PAGE).any(axis=1))
    borders = np.flatnonzero(filled[1:] != filled[:-1]) + 1
    for first, end in zip([0, *borders], [*borders, filled.size], strict=True):
        yield Run(int(first) * PAGE, int(end - first) * PAGE, not filled[first])


def upload(client: Client, image: np.ndarray, address: int, header_address: int) -> int:
    """Make memory from `address` on equal to an image, uint8 [a multiple of `PAGE`]; returns the bytes that were sent.

    `LinkError` where memory does not keep them. With a bar on a terminal.
    """
    header, sent = header_of(image), 0
    known = client.read_memory(header_address, _HEADER_BYTES) == header
    if not known:
        client.write_memory(header_address, header)
    runs = list(runs_of(image))
    for run in runs:
        if run.zero:
            _fill(client, address + run.start, run.size)
    wanted = [part for run in runs if not run.zero for part in _parts(run)]
    for attempt in range(_ROUNDS):
        missing = [piece for part in wanted for piece in _differing(client, image, address, part)] if (
            known or attempt) else wanted
        if not missing:
            return sent
        sent += _send(client, image, address, missing)
        wanted = missing
    if any(_differs(client, image, address, part) for part in wanted):
        raise LinkError(f"the board's memory does not keep what is written at {address + wanted[0].start:#x}")
    return sent


def _parts(run: Run) -> Iterator[Run]:
    for start in range(run.start, run.start + run.size, _LONGEST):
        yield Run(start, min(_LONGEST, run.start + run.size - start), run.zero)


def _fill(client: Client, address: int, size: int) -> None:
    for start in range(0, size, _LONGEST):
        client.fill_memory(address + start, min(_LONGEST, size - start))


def _send(client: Client, image: np.ndarray, address: int, parts: list[Run]) -> int:
    total = sum(part.size for part in parts)
    with tqdm(total=total, desc="uploading", unit="B", unit_scale=True, leave=False, file=sys.stderr,
              disable=None) as bar:
        for part in parts:
            client.write_memory(address + part.start, image[part.start:part.start + part.size].tobytes(), bar.update)
        client.settle()
    return total


def _differing(client: Client, image: np.ndarray, address: int, part: Run) -> list[Run]:
    """The pages of a part, those next to each other together, of which the board's CRC says that they differ."""
    if not _differs(client, image, address, part):
        return []
    if part.size == PAGE:
        return [part]
    half = part.size // PAGE // 2 * PAGE
    first, second = Run(part.start, half, False), Run(part.start + half, part.size - half, False)
    found = _differing(client, image, address, first)
    found += _differing(client, image, address, second)
    if found == [first, second]:
        return [part]
    return found


def _differs(client: Client, image: np.ndarray, address: int, part: Run) -> bool:
    return client.check_memory(address + part.start, part.size) != zlib.crc32(image[part.start:part.start + part.size])
