"""Tokens on a whole simulated board, line and SDRAM too, while something goes wrong on the line or in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from host.board.description import Description
from host.devices.base import Progress
from host.devices.emulator import EmulatorDevice
from host.link.device import SerialDevice
from host.runtime import Session
from hw.emit import kept_verilog
from models.config import ModelConfig
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.synth import synthetic_model
from scripts.verify.inject.beside import BesideEmulator, TokenError
from scripts.verify.inject.campaign import Case
from scripts.verify.inject.kinds import Killed
from scripts.verify.inject.soc_kinds import SOC_KINDS
from sim.sdram.chip import ChipTimes
from sim.soc.filled_memory import filled_memory
from sim.soc.transport import SimulatedTransport
from sim.soc.verilated_board import simulated_board

__all__ = ["SHAPE", "SocBench", "SocDevice", "SocLine", "run_soc_cases", "soc_kind_names"]

SHAPE = ModelConfig(name="board", vocab_size=33, hidden_size=32, ffn_size=48, layers=1, heads=2, kv_heads=1,
                    head_dim=16, activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
                    context=16)
"""The model: its upload and its tokens are few bytes, of which each takes 200 cycles of the line."""
_WINDOW = 65_000_000_000  # ps: 64 ms, and what the controller's power-up takes of it in a few resets of the chip
_OF_A_RESET = ("clock_enable", "t_ras_max")  # the SDRAM's rules that a reset of the chip breaks: rows stay open
_START_CYCLES = 200_000  # within which a run begins that was asked for


class SocLine(SimulatedTransport):
    """dead: raised from now on, as the process that holds the line has ended. interrupt_in: Ctrl-C at one of the next
    calls, None for never."""

    dead: BaseException | None = None
    interrupt_in: int | None = None

    def write(self, data: bytes) -> None:
        self._called()
        super().write(data)

    def read(self, until: float) -> bytes:
        self._called()
        return super().read(until)

    def _called(self) -> None:
        if self.dead is not None:
            raise self.dead
        if self.interrupt_in is not None:
            self.interrupt_in -= 1
            if self.interrupt_in < 0:
                self.interrupt_in = None
                raise KeyboardInterrupt


class SocDevice(SerialDevice):
    """`act` is called once, `at` cycles into a run, if that lasts so long; `acted` says whether it was."""

    wait_ms = 10
    at: int | None = None
    act: Callable[[], None]
    acted = False

    def wait(self, progress: Progress | None = None) -> None:
        if self.at is not None:
            line, at, self.at = self.client.transport, self.at, None
            assert isinstance(line, SimulatedTransport)
            board = line.board
            board.run_to_start(_START_CYCLES)
            board.pass_time(at)
            if board.running:
                self.acted = True
                self.act()
        super().wait(progress)


class SocBench(BesideEmulator):
    """A model on a simulated board, beside the emulator. What is too old in its SDRAM is forgotten there."""

    def __init__(self, build: BuildParameters, seed: int = 0):
        self.build, self.model = build, synthetic_model(build.fitted(SHAPE), seed=seed)
        self.board = simulated_board(build, filled_memory(self.model, build),
                                     times=ChipTimes(forgets=True, window=_WINDOW))
        self.expected = Session(self.model, EmulatorDevice(build))
        self._description = Description(int(kept_verilog(build)[1][:8], 16), build.clock_mhz)
        self.open()
        self.begin([0])
        before, counted = self.session.counters.cycles, self.board.counters()
        self.check(1)
        self.run_cycles = self.session.counters.cycles - before
        """That a token takes."""
        used = self.board.counters() - counted
        self.to_board, self.to_host = used.sent, used.received
        """Bytes of a token."""

    def open(self) -> None:
        """The device and the session of a process that begins, whatever the one before it left behind."""
        self.line = SocLine(self.board)
        self.device = SocDevice(self.build, description=self._description, transport=self.line)
        self.session = Session(self.model, self.device)

    def recover(self, said: str | None, tokens: list[int], *, lost: bool, ends: bool) -> None:
        """What a user does then. Afterwards the session holds the first of the tokens, at least."""
        if said is None:
            return
        if ends:
            self.open()
            self.begin(tokens[:1])
            return
        self.recover_session(tokens[:1], lost=lost)


def soc_kind_names() -> list[str]:
    """Case n is of kind n modulo their number."""
    return [kind.name for kind in SOC_KINDS]


def run_soc_cases(bench: SocBench, seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """Case n is of kind n modulo their number, and drawn from the seed and n: it can be run alone."""
    for number in numbers:
        yield _run_case(bench, number, np.random.default_rng([seed, number]))


def _run_case(bench: SocBench, number: int, rng: np.random.Generator) -> Case:
    """One token with something wrong, what a user then does, the same token and one more without."""
    kind = SOC_KINDS[number % len(SOC_KINDS)]
    tokens = [int(token) for token in rng.integers(bench.model.config.vocab_size, size=3)]
    said = finding = None
    broken = bench.board.findings
    acted, what = False, kind.name
    try:
        bench.begin(tokens[:1])
        what, has_acted = kind.plant(bench, rng)
        said = _said(bench, tokens[1])
        acted = has_acted()
        bench.board.clear_faults()
        bench.line.interrupt_in = bench.device.at = None
        finding = _judge(said, kind.line, acted and not (kind.late and said is None))
        bench.recover(said, tokens, lost=kind.lost, ends=kind.ends)
        for token in tokens[bench.session.position:]:
            bench.check(token)
        bench.compare_caches()
        rules = {rule for rule, count in bench.board.findings.items() if count > broken.get(rule, 0)}
        rules -= {*_OF_A_RESET} if kind.lost else set()
        if rules and finding is None:
            finding = f"rules of the SDRAM were broken: {', '.join(sorted(rules))}"
    except (TokenError, DeviceError) as error:
        finding = f"{finding or 'afterwards'}: {error}"
        bench.board.clear_faults()
        bench.board.reset()
        bench.open()
    return Case(number, kind.name, what, acted, said, finding)


def _said(bench: SocBench, token: int) -> str | None:
    """The line of the error of a token, None where it went well and was right."""
    try:
        bench.check(token)
    except DeviceError as error:
        return str(error)
    except (Killed, KeyboardInterrupt) as ended:
        return type(ended).__name__
    return None


def _judge(said: str | None, line: str | None, acted: bool) -> str | None:
    """What is wrong with what was said."""
    if not acted or line is None:
        return None if said is None else f"healing was due, but: {said}"
    return None if said is not None and line in said else f"expected {line!r}, found {said!r}"
