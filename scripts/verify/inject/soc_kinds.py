"""What may go wrong on a board without a processor, planted in the simulation of the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from host.link.frames import frame_of
from models.machine.link import REQUEST, Operation
from models.machine.registers import Control
from scripts.verify.inject.kinds import Killed
from sim.soc.line_fault import FRAME_BITS, LineFault, LineWrong

if TYPE_CHECKING:
    from scripts.verify.inject.soc import SocBench

__all__ = ["SOC_KINDS", "SocKind"]

Planted = tuple[str, Callable[[], bool]]  # what it is, and whether it came to act


class SocKind(NamedTuple):
    """line: of the error that must be told, None where the link has to heal it. lost: whether the board then knows
    nothing of the session any more. ends: whether the host's process ends. late: whether it may come behind the run's
    end, where nothing is due: the line takes 60 us to bring it."""

    name: str
    plant: Callable[[SocBench, np.random.Generator], Planted]
    line: str | None = None
    lost: bool = False
    ends: bool = False
    late: bool = False


def _place(bench: SocBench, rng: np.random.Generator, to_host: bool) -> int:
    """A byte of the next token's, as the line counts them."""
    counted = bench.board.counters()
    if to_host:
        return counted.received + int(rng.integers(bench.to_host))
    return counted.sent + int(rng.integers(bench.to_board))


def _acted(bench: SocBench) -> Callable[[], bool]:
    before = bench.board.acted
    return lambda: bench.board.acted > before


def _byte(wrong: LineWrong, to_host: bool, bench: SocBench, rng: np.random.Generator) -> Planted:
    bits = int(rng.integers(1, 1 << FRAME_BITS)) if rng.integers(2) else 1 << int(rng.integers(FRAME_BITS))
    if to_host and wrong == LineWrong.FLIPPED:
        bits = 1 << int(rng.integers(1, 9))
    fault = LineFault(to_host, wrong, _place(bench, rng, to_host), bits if wrong == LineWrong.FLIPPED else 0)
    acted = _acted(bench)
    bench.board.plant(fault)
    return str(fault), acted


def _several(bench: SocBench, rng: np.random.Generator) -> Planted:
    acted = _acted(bench)
    for _ in range(6):
        to_host = bool(rng.integers(2))
        bench.board.plant(LineFault(to_host, LineWrong(int(rng.integers(3))), _place(bench, rng, to_host),
                                    1 << int(rng.integers(1, 9))))
    return "six bytes", acted


def _run_of_bytes(bench: SocBench, rng: np.random.Generator) -> Planted:
    """All bytes for a while."""
    to_host, count = bool(rng.integers(2)), int(rng.integers(2, 60))
    first, acted = _place(bench, rng, to_host), _acted(bench)
    for at in range(first, first + count):
        bench.board.plant(LineFault(to_host, LineWrong.DROPPED, at))
    return f"{count} bytes from {first} on", acted


def _at_cycle(bench: SocBench, rng: np.random.Generator, act: Callable[[], None], what: str) -> Planted:
    at, device = int(rng.integers(bench.run_cycles)), bench.device
    device.at, device.act, device.acted = at, act, False
    return f"{what} at cycle {at}", lambda: device.acted


def _noise(bench: SocBench, rng: np.random.Generator) -> Planted:
    data = rng.bytes(int(rng.integers(1, 60)))
    return _at_cycle(bench, rng, lambda: bench.board.send(data), f"{len(data)} bytes of noise")


def _chip_reset(bench: SocBench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, partial(bench.board.reset, int(rng.integers(1, 40))), "a reset of the chip")


def _chip_reset_between(bench: SocBench, rng: np.random.Generator) -> Planted:
    bench.board.reset(int(rng.integers(1, 40)))
    return "a reset of the chip between runs", lambda: True


def _core_reset(bench: SocBench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, bench.device.client.reset_core, "RESET of the core")


def _control(bits: int, bench: SocBench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, lambda: bench.device.set("CONTROL", bits), f"CONTROL {bits}")


def _greeted(bench: SocBench, rng: np.random.Generator) -> Planted:
    session = bench.device.client.session % 0xFFFF + 1
    frame = frame_of(REQUEST.pack(int(rng.integers(256)), Operation.HELLO, session, 0, 0))
    return _at_cycle(bench, rng, lambda: bench.board.send(frame), "another's HELLO")


def _interrupted(bench: SocBench, rng: np.random.Generator) -> Planted:
    bench.line.interrupt_in = int(rng.integers(4))
    return f"Ctrl-C at call {bench.line.interrupt_in}", lambda: bench.line.interrupt_in is None


def _killed(bench: SocBench, rng: np.random.Generator) -> Planted:
    line = bench.line

    def kill() -> None:
        line.dead = Killed()

    return _at_cycle(bench, rng, kill, "kill")


SOC_KINDS: tuple[SocKind, ...] = (
    *(SocKind(f"a byte {wrong.name.lower()} on the line, {way}", partial(_byte, wrong, to_host))
      for wrong in LineWrong for to_host, way in ((False, "to the board"), (True, "to the host"))),
    SocKind("six bytes dropped, doubled, flipped", _several),
    SocKind("up to 60 bytes in a row dropped", _run_of_bytes),
    SocKind("up to 60 bytes of noise amid a run", _noise),
    SocKind("reset of the whole chip amid a run", _chip_reset, "was reset", lost=True),
    SocKind("reset of the whole chip between runs", _chip_reset_between, "was reset", lost=True),
    SocKind("reset of the core amid a run", _core_reset, "was reset in the midst of a run"),
    SocKind("abort amid a run", partial(_control, Control.ABORT), "it was aborted", late=True),
    SocKind("START amid a run", partial(_control, Control.START), "it was started while it was busy", late=True),
    SocKind("another program greets amid a run", _greeted, "was greeted by another program", lost=True),
    SocKind("Ctrl-C", _interrupted, "KeyboardInterrupt"),
    SocKind("host's process killed amid a run", _killed, "Killed", ends=True),
)
