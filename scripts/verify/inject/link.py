"""Tokens over a serial line on which something goes wrong, on a modelled board (docs/link.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.synth import synthetic_model
from scripts.verify.inject.bench import SHAPE
from scripts.verify.inject.beside import BesideEmulator, TokenError
from scripts.verify.inject.campaign import Case
from scripts.verify.inject.kinds import Killed
from scripts.verify.inject.link_kinds import LINK_KINDS, LinkKind
from tests.host.link.modelled_line import TO_BOARD, TO_HOST, ModelledLine
from tests.host.link.opened import new_board, opened

__all__ = ["LinkBench", "link_kind_names", "run_link_cases"]

_TOKEN_BYTES = {TO_BOARD: 800, TO_HOST: 450}
"""Of about two tokens, each way; one of them is chosen."""
_UPLOAD_BYTES = {TO_BOARD: 20_000, TO_HOST: 500}
_UPLOADS = 0.25  # of the cases
_RUNS_S = (0.004, 0.0005, 0.03, 0.5)  # that a token runs: longer than a WAIT lasts, too


def link_kind_names() -> list[str]:
    """Case n is of kind n modulo their number."""
    return [f"{kind.name}, {way}" for kind in LINK_KINDS for way in (TO_BOARD, TO_HOST)]


class LinkBench(BesideEmulator):
    """A model on a modelled board, beside the emulator."""

    def __init__(self, build: BuildParameters, seed: int = 0):
        self.build = build
        self.model = synthetic_model(build.fitted(SHAPE), seed=seed)
        self.expected = Session(self.model, EmulatorDevice(build))
        self.reset()

    def reset(self) -> None:
        """Another board, on which the model has to be put."""
        self.board = new_board(build=self.build, run_s=0.004)
        self.open()

    def open(self, line: ModelledLine | None = None) -> None:
        """The device and the session of a process that begins, whatever the one before it left behind."""
        self.line = line or ModelledLine(self.board)
        self.session = Session(self.model, opened(self.board, self.line, build=self.build))


def run_link_cases(bench: LinkBench, seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """Each drawn from the seed and its number: it can be run alone."""
    for number in numbers:
        kind, way = LINK_KINDS[number // 2 % len(LINK_KINDS)], (TO_BOARD, TO_HOST)[number % 2]
        rng = np.random.default_rng([seed, number])
        tokens = [int(token) for token in rng.integers(bench.model.config.vocab_size, size=7)]
        uploads, said, finding = bool(rng.random() < _UPLOADS), None, None
        what, acted = "", False
        bench.board.reset()
        try:
            bench.open()
            bench.begin(tokens[:2])
            bench.board.core.run_s = float(rng.choice(_RUNS_S))
            if uploads:
                what, acted, said = _upload(bench, kind, way, rng)
            else:
                what, acted, said = _decode(bench, kind, way, rng, tokens)
            heals = kind.line is None or not acted or (uploads and kind.lost and said is None)  # nothing was lost yet
            finding = _judge(said, None if heals else kind.line)
            _recover(bench, kind, said, uploads, tokens)
            bench.board.core.run_s = _RUNS_S[0]
            for token in tokens[bench.session.position:]:
                bench.check(token)
            bench.compare_caches()
        except (TokenError, DeviceError) as error:
            finding = f"{finding or 'afterwards'}: {error}"
            bench.reset()
        except Exception as error:  # of a driver that is broken on purpose, or not
            finding = f"{finding or 'afterwards'}: {type(error).__name__}: {error}"
            bench.reset()
        yield Case(number, f"{kind.name}, {way}", what, acted, said, finding)


def _decode(bench: LinkBench, kind: LinkKind, way: str, rng: np.random.Generator, tokens: list[int]
            ) -> tuple[str, bool, str | None]:
    """Something goes wrong amid four tokens' bytes; what, whether it did, and the line of the error."""
    byte = int(rng.integers(_TOKEN_BYTES[way]))
    bench.line.harms = kind.plant(bench.line, way, bench.line.passed[way] + byte, rng)
    return f"byte {byte} of two tokens", *_acted(bench, lambda: [bench.check(token) for token in tokens[2:6]])


def _upload(bench: LinkBench, kind: LinkKind, way: str, rng: np.random.Generator) -> tuple[str, bool, str | None]:
    """Likewise while a process begins, on a board whose memory lost a part of the model."""
    part = slice(0, int(rng.integers(bench.session.program.size)))
    bench.board.memory[part] ^= 1
    bench.board.core.wrote(0, part.stop)
    byte = int(rng.integers(_UPLOAD_BYTES[way]))
    bench.line = ModelledLine(bench.board)
    bench.line.harms = kind.plant(bench.line, way, byte, rng)
    return f"byte {byte} of an upload", *_acted(bench, lambda: bench.open(bench.line))


def _acted(bench: LinkBench, do: Callable[[], object]) -> tuple[bool, str | None]:
    said = None
    try:
        do()
    except DeviceError as error:
        said = str(error)
    except (Killed, KeyboardInterrupt) as ended:
        said = type(ended).__name__
    bench.line.harms, bench.line.interrupt_at = [], None
    return bench.line.done > 0, said


def _judge(said: str | None, line: str | None) -> str | None:
    """What is wrong with what was said. line: of the error that was due."""
    if line is None:
        return None if said is None else f"healing was due, but: {said}"
    return None if said is not None and line in said else f"expected {line!r}, found {said!r}"


def _recover(bench: LinkBench, kind: LinkKind, said: str | None, uploads: bool, tokens: list[int]) -> None:
    """What a user does then. Afterwards the session holds the first of the tokens."""
    if said is None and not uploads:
        return
    if uploads or kind.ends:
        if said is not None:
            bench.open()
        bench.begin(tokens[:2])
        return
    bench.line.cut = None
    bench.recover_session(tokens[:2], lost=kind.lost)
