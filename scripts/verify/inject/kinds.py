"""The kinds of fault that are injected: where each acts, what has to be said of it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from hw.stream.reset_tree import SHORTEST_RESET
from models.machine.descriptor import Opcode
from models.machine.registers import Control
from scripts.verify.inject.bench import WATCHDOG, Bench
from scripts.verify.inject.descriptors import DecodeList
from sim.port_fault import Channel, PortFault, Wrong

__all__ = ["Kind", "Killed", "Planted", "kinds_of"]

WATCHDOG_LINE = "the watchdog expired: nothing was done for"
_ENGINES = {Opcode.STREAM: "FETCH read", Opcode.LOAD: "LOAD read", Opcode.KEY: "VECTOR wrote",
            Opcode.VALUE: "VECTOR wrote", Opcode.ATTEND: "ATTEND read", Opcode.LOGITS: "HEAD wrote",
            Opcode.STORE: "VECTOR wrote"}
_ADDRESSES = {Opcode.STREAM: ("address",), Opcode.LOAD: ("address",), Opcode.KEY: ("address", "scale_address"),
              Opcode.VALUE: ("address", "scale_address"), Opcode.ATTEND: ("key_scales", "values"),
              Opcode.LOGITS: ("top",), Opcode.STORE: ("address",)}
_LENGTHS = {Opcode.STREAM: ("beats",), Opcode.LOAD: ("bytes",), Opcode.MATMUL: ("rows", "tiles", "outputs"),
            Opcode.NORM: ("rows", "count"), Opcode.QUERY: ("rows", "heads", "dim"),
            Opcode.KEY: ("rows", "heads", "dim"), Opcode.VALUE: ("rows", "heads", "dim"),
            Opcode.RESIDUAL: ("rows", "count"), Opcode.STORE: ("rows", "count"),
            Opcode.ATTEND: ("rows", "heads", "dim"), Opcode.LOGITS: ("rows", "count", "vocab", "k")}
_ACCESSES = 11  # register accesses of a token


class Killed(BaseException):
    """The process has ended, without a word to the device."""


class Planted(NamedTuple):
    """What was injected. line: what the error has to say; None: there is none, and the token is right. ends: lets it
    end. acted: whether it came to act."""

    what: str
    line: str | None
    acted: Callable[[], bool]
    ends: Callable[[], None] = lambda: None


class Kind(NamedTuple):
    """A kind by name. plant: injects one into the next token."""

    name: str
    plant: Callable[[Bench, np.random.Generator], Planted]


def kinds_of(bench: Bench) -> list[Kind]:
    """All that the bench's build can meet in a decoded token, each on each port and channel that it uses."""
    kinds = []
    for port, counted in enumerate(bench.used):
        events = {Channel.AR: counted.read_bursts, Channel.R: counted.read_beats, Channel.AW: counted.write_beats // 4,
                  Channel.W: counted.write_beats, Channel.B: counted.write_beats // 4}
        for channel, count in events.items():
            if not count:
                continue
            if channel in (Channel.R, Channel.B):
                kinds += [Kind(f"{wrong.name} on {channel.name}, port {port}",
                               partial(_response, port, channel, wrong, count))
                          for wrong in (Wrong.SLVERR, Wrong.DECERR)]
            kinds += [Kind(f"{channel.name} stands still {how}, port {port}",
                           partial(_hold, port, channel, count, how)) for how in _HOLDS]
    return kinds + [Kind(name, plant) for name, plant in _OTHERS.items()]


_HOLDS = ("for ever", "beyond the watchdog", "for a while")


def _response(port: int, channel: Channel, wrong: Wrong, count: int, bench: Bench, rng: np.random.Generator) -> Planted:
    fault = PortFault(port, channel, wrong, int(rng.integers(count)))
    bench.core.plant(fault)
    how = "read" if channel == Channel.R else "write"
    return Planted(str(fault), f"a memory access was refused: .* {how} on port {port} got {wrong.name}",
                   lambda: bool(bench.core.acted(fault)), bench.core.clear_faults)


def _hold(port: int, channel: Channel, count: int, how: str, bench: Bench, rng: np.random.Generator) -> Planted:
    cycles = {"for ever": 0, "beyond the watchdog": 2 * WATCHDOG + int(rng.integers(WATCHDOG // 2)),
              "for a while": int(rng.integers(1, WATCHDOG // 2))}[how]
    fault = PortFault(port, channel, Wrong.HOLD, int(rng.integers(count)), cycles)
    bench.core.plant(fault)
    line = None if how == "for a while" else WATCHDOG_LINE
    return Planted(str(fault), line, lambda: bool(bench.core.acted(fault)), bench.core.clear_faults)


def _cycle(bench: Bench, rng: np.random.Generator) -> int:
    """One in a run of a token, mostly."""
    return int(rng.integers(bench.run_cycles))


def _at_cycle(bench: Bench, rng: np.random.Generator, act: Callable[[], None], line: str, what: str) -> Planted:
    at, device = _cycle(bench, rng), bench.device
    device.arm(act, at=at)
    return Planted(f"{what} at cycle {at}", line, lambda: device.acted, device.disarm)


def _reset(bench: Bench, rng: np.random.Generator, *, in_run: bool) -> Planted:
    cycles = int(rng.integers(SHORTEST_RESET, 17))

    def reset() -> None:
        bench.core.reset_alone(cycles)

    if in_run:
        return _at_cycle(bench, rng, reset, "was reset in the midst of a run", f"a reset of {cycles} cycles")
    reset()
    return Planted(f"a reset of {cycles} cycles", "it was reset since its memory was set up", lambda: True)


def _doorbell(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, lambda: bench.device.set("CONTROL", Control.START), "it was started while it was busy",
                     "START")


def _abort(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, lambda: bench.device.set("CONTROL", Control.ABORT), "it was aborted", "ABORT")


def _press() -> None:
    raise KeyboardInterrupt


def _kill(bench: Bench) -> None:
    bench.device.dead = True
    raise Killed


def _interrupt(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, _press, "KeyboardInterrupt", "Ctrl-C")


def _killed(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_cycle(bench, rng, partial(_kill, bench), "Killed", "kill")


def _at_access(bench: Bench, rng: np.random.Generator, act: Callable[[], None], line: str) -> Planted:
    access, device = int(rng.integers(_ACCESSES)), bench.device
    device.arm(act, access=access)
    return Planted(f"{line} at register access {access}", line, lambda: device.acted, device.disarm)


def _interrupted_access(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_access(bench, rng, _press, "KeyboardInterrupt")


def _killed_access(bench: Bench, rng: np.random.Generator) -> Planted:
    return _at_access(bench, rng, partial(_kill, bench), "Killed")


def _interrupted_twice(bench: Bench, rng: np.random.Generator) -> Planted:
    """The second time while the first is still being dealt with."""
    access = int(rng.integers(8))

    def first() -> None:
        bench.device.access = access
        raise KeyboardInterrupt

    planted = _at_cycle(bench, rng, first, "KeyboardInterrupt", "Ctrl-C")
    bench.device.act_again = _press
    return planted._replace(what=f"{planted.what} and {access} register accesses later")


def _one_list(bench: Bench, rng: np.random.Generator) -> DecodeList:
    """One of the programs of the pass, any of them where it stops."""
    return DecodeList(bench.session, bench.form, int(rng.integers(64)) if bench.form.points else 0)


def _opcode(bench: Bench, rng: np.random.Generator) -> Planted:
    listed = _one_list(bench, rng)
    index, opcode = int(rng.integers(listed.count)), int(rng.integers(max(Opcode) + 1, 16))
    listed.put(index, "opcode", opcode)
    return Planted(f"opcode {opcode} in descriptor {index}", f"a bad descriptor: number {index} of its program",
                   lambda: True)


def _one_of(listed: DecodeList, rng: np.random.Generator, names: dict[Opcode, tuple[str, ...]]) -> tuple[int, str]:
    """A descriptor, and one of its operation's fields that are named: all operations alike."""
    opcodes = [opcode for opcode in names if listed.indices(opcode)]
    opcode = opcodes[int(rng.integers(len(opcodes)))]
    return int(rng.choice(listed.indices(opcode))), str(rng.choice(names[opcode]))


def _length(bench: Bench, rng: np.random.Generator) -> Planted:
    listed = _one_list(bench, rng)
    index, name = _one_of(listed, rng, _LENGTHS)
    listed.put(index, name, 0)
    return Planted(f"{listed.opcode(index).name}.{name} = 0 in descriptor {index}",
                   f"a bad descriptor: number {index} of its program", lambda: True)


def _address(bench: Bench, rng: np.random.Generator) -> Planted:
    listed = _one_list(bench, rng)
    index, name = _one_of(listed, rng, _ADDRESSES)
    opcode, unit = listed.opcode(index), 1 << 12
    start, size = bench.session.buffer.address, bench.session.program.size
    far = int(rng.integers(1 << 39)) // unit * unit
    near = start + size if rng.integers(2) else start - (1 << 16)
    address = near if rng.integers(2) or start - (1 << 24) < far < start + size else far
    listed.put(index, name, address)
    return Planted(f"{opcode.name}.{name} = {address:#x} in descriptor {index}",
                   f"{_ENGINES[opcode]} outside the buffer at 0x[0-9a-f]+, port [0-9]", lambda: True)


_OTHERS = {
    "reset in a run": partial(_reset, in_run=True),
    "reset between runs": partial(_reset, in_run=False),
    "doorbell rung twice": _doorbell,
    "abort": _abort,
    "Ctrl-C at a cycle": _interrupt,
    "Ctrl-C at a register access": _interrupted_access,
    "Ctrl-C twice": _interrupted_twice,
    "process killed at a cycle": _killed,
    "process killed at a register access": _killed_access,
    "unknown opcode": _opcode,
    "length of zero": _length,
    "address outside": _address,
}
