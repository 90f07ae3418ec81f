"""What may go wrong on a serial line and at its ends, each planted at a byte of a token's traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scripts.verify.inject.kinds import Killed
from tests.host.link.modelled_line import TO_BOARD, TO_HOST, Harm, ModelledLine

__all__ = ["LINK_KINDS", "LinkKind"]


class LinkKind(NamedTuple):
    """line: of the error that must be told, None where the link has to heal it. plant: gives the harms at byte `at` of
    a way. lost: whether the board then knows nothing of the session any more. ends: whether the host's process ends."""

    name: str
    plant: Callable[[ModelledLine, str, int, np.random.Generator], list[Harm]]
    line: str | None = None
    lost: bool = False
    ends: bool = False


def _one(change: Callable[[bytes, np.random.Generator], bytes]) -> Callable[..., list[Harm]]:
    return lambda line, way, at, rng: [Harm(way, at, lambda data: change(data, rng))]


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    return bytes((data[0] ^ 1 << int(rng.integers(8)),)) + data[1:]


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(int(rng.integers(1, 200))) + data


def _overwritten(data: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.integers(1, 60))
    return rng.bytes(min(size, len(data))) + data[size:]


def _late(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    return [Harm(way, at, waits_s=float(rng.choice((0.01, 0.1, 0.3, 1.0))))]


def _many(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    """Several bytes lost, doubled or changed, both ways, a few hundred bytes apart."""
    harms = []
    for both in (TO_BOARD, TO_HOST):
        place = line.passed[both]
        for _ in range(5):
            place += int(rng.integers(1, 400))
            change = (_drop, _double, _flip)[int(rng.integers(3))]
            harms.append(Harm(both, place, lambda data, change=change: change(data, rng)))
    return harms


def _drop(data: bytes, rng: np.random.Generator) -> bytes:
    return data[1:]


def _double(data: bytes, rng: np.random.Generator) -> bytes:
    return data[:1] + data


def _reset(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    return [Harm(way, at, lambda data: b"", act=line.board.reset)]


def _greeted(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    def greet() -> None:
        line.board.session, line.board.expected = line.board.session % 0xFFFF + 1, 7
        line.board.known = line.board.only_reads = 0

    return [Harm(way, at, act=greet)]


def _killed(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    def kill() -> None:
        line.dead = Killed()

    return [Harm(way, at, lambda data: b"", act=kill)]


def _interrupted(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    def interrupt() -> None:
        line.interrupt_in(int(rng.integers(3)))

    return [Harm(way, at, act=interrupt)]


def _silent(line: ModelledLine, way: str, at: int, rng: np.random.Generator) -> list[Harm]:
    def cut() -> None:
        line.cut = way

    return [Harm(way, at, lambda data: b"", act=cut)]


LINK_KINDS: tuple[LinkKind, ...] = (
    LinkKind("a byte lost", _one(_drop)),
    LinkKind("a byte doubled", _one(_double)),
    LinkKind("a bit flipped", _one(_flip)),
    LinkKind("up to 200 bytes of noise between", _one(_noise)),
    LinkKind("up to 60 bytes overwritten", _one(_overwritten)),
    LinkKind("the rest of a frame lost", _one(lambda data, rng: b"")),
    LinkKind("a frame doubled", _one(lambda data, rng: data + data)),
    LinkKind("bytes late by up to a second", _late),
    LinkKind("ten bytes lost, doubled, changed", _many),
    LinkKind("board reset", _reset, "was reset", lost=True),
    LinkKind("another program greets", _greeted, "was greeted by another program", lost=True),
    LinkKind("line cut for a while", _silent, "no answer"),
    LinkKind("Ctrl-C", _interrupted, "KeyboardInterrupt"),
    LinkKind("host's process killed", _killed, "Killed", ends=True),
)
