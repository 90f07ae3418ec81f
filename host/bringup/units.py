"""Known vectors through every unit: short programs and a small model's passes, each compared with what is exact.

Each line looks a step further into a layer than the one before, so the first that fails names the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from host.bringup.check import Check, failed, guarded, passed
from host.bringup.port_lines import read_lines
from host.bringup.short_program import ShortProgram
from host.compiler.descriptor_list import Semaphore
from host.devices.base import Device
from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.config import ModelConfig
from models.golden.scalar import Scalar
from models.machine.descriptor import STEP_BYTES, LoadTarget, Opcode, StoreSource
from models.machine.registers import position_register
from models.model import Model
from models.synth import synthetic_model

__all__ = ["check_units"]

_CONFIG = ModelConfig(name="selftest", vocab_size=61, hidden_size=48, ffn_size=96, layers=2, heads=2, kv_heads=1,
                      head_dim=32, activation="relu2", sub_norms=True, tied_head=False, rope_theta=10000.0,
                      rms_eps=1e-5, context=32)
_IDS = (7, 60, 0, 13, 22, 41)
_PATTERNS = (0, 0xFFFF, 0x5555, 0xAAAA, 0x1234)
_RELOAD = "load the bitstream anew and run the self-test again; if it stays, the build or the board is at fault"
_VALUES = 64
Numbers = list[np.ndarray]
Taken = Callable[[Session, Numbers], Numbers]
"""What a session is run for: its numbers, or those that were seen at points meanwhile."""


def check_units(device: Device, seed: int = 0) -> Iterator[Check]:
    """Registers, memory, the lines of each port, then unit by unit."""
    yield guarded("register file", _RELOAD, lambda: _registers(device))
    yield guarded("load and store", _RELOAD, lambda: _load_store(device, seed))
    yield from _ports(device, seed)
    model = synthetic_model(_CONFIG, seed=seed + 3)
    steps: list[tuple[str, str, Taken, tuple[Point, ...]]] = [
        ("norm, linear, heads", "keys and values in the cache", _cache, ()),
        ("attention", "its results", _at, (Point(0, Site.O),)),
        ("residual, norm, linear", "sums of the gate", _at, (Point(0, Site.GATE),)),
        ("gated product", "the residual behind a layer", _at, (Point(0, Site.RESIDUAL),)),
        ("head", "all logits", _logits, ()),
        ("top k", "the best tokens", _top, ())]
    for name, what, take, points in steps:
        yield guarded(name, _RELOAD, partial(_unit, device, model, name, what, take, points))


def _registers(device: Device) -> Check:
    """What is written comes back, in each bit that a register has."""
    names = {"PROGRAM_LOW": 0xFFFF_FFC0, "DESCRIPTORS": 0xFFFF, position_register(0): 0xFFFF,
             position_register(5): 0xFFFF}
    for name, mask in names.items():
        for pattern in _PATTERNS:
            value = (pattern | pattern << 16) & mask
            device.set(name, value)
            if (found := device.get(name) & mask) != value:
                return failed("register file", f"{name} reads {found:#x} after {value:#x} was written", _RELOAD)
    for name in names:
        device.set(name, 0)
    return passed("register file", f"{len(names)} registers hold {len(_PATTERNS)} patterns")


def _load_store(device: Device, seed: int) -> Check:
    values = np.random.default_rng(seed).integers(-2**31, 2**31, _VALUES).astype("<i4")
    program = ShortProgram(device, 1 << 16)
    source, target, steps = program.place(values), program.reserve(values.nbytes), program.reserve(STEP_BYTES)
    program.list.add(Opcode.LOAD, signal=(Semaphore.RESIDUAL_LOADED,), target=LoadTarget.RESIDUAL, address=source,
                     bytes=values.nbytes, address_stride=0, offset=0, sequence=0, row=0)
    program.list.add(Opcode.STORE, wait=(Semaphore.RESIDUAL_LOADED,), source=StoreSource.RESIDUAL, first_row=0, rows=1,
                     count=values.size, accumulator=0, group_channels=0, address=target, steps=steps)
    program.run()
    found = program.read(target, values.nbytes).view("<i4")
    if wrong := int(np.count_nonzero(found != values)):
        bits = np.bitwise_or.reduce(found ^ values) & 0xFFFFFFFF
        return failed("load and store", f"{wrong} of {values.size} words came back wrong, in bits {bits:#010x}",
                      "a data line of a port, or a flush of the cache that was lost: see the lines of the ports")
    return passed("load and store", f"{values.size} words came back")


def _ports(device: Device, seed: int) -> Iterator[Check]:
    lines: list = []

    def read() -> Check:
        lines.extend(read_lines(device, seed))
        return passed("ports", "")

    done = guarded("ports", _RELOAD, read)
    if done.fix:
        yield done
    for line in lines:
        name = f"data of port {line.port}"
        if line.wrong:
            bits = ", ".join(map(str, line.bits[:8])) + ("…" if len(line.bits) > 8 else "")
            yield failed(name, f"{line.wrong} of {line.bytes} bytes wrong, in bits {bits} of 128",
                         f"port HP{line.port}: build again with timing met; if it stays, try another board",
                         wrong=line.wrong, bits=list(line.bits))
        else:
            yield passed(name, f"{line.bytes} bytes right")


def _unit(device: Device, model: Model, name: str, what: str, take: Taken, points: tuple[Point, ...]) -> Check:
    found, expected = (_numbers(model, where, take, points) for where in (device, EmulatorDevice(device.build)))
    different = sum(int(np.count_nonzero(a != b)) for a, b in zip(found, expected, strict=True))
    numbers = sum(a.size for a in expected)
    if different or len(found) != len(expected):
        return failed(name, f"{different} of {numbers} numbers of {what} differ from the emulator's", _RELOAD)
    return passed(name, f"{what}: {numbers} numbers equal the emulator's")


def _numbers(model: Model, device: Device, take: Taken, points: tuple[Point, ...]) -> Numbers:
    seen: Numbers = []

    def look(point: Point, rows: np.ndarray, unit: Scalar) -> None:
        seen.extend((rows.copy(), np.asarray(unit.m), np.asarray(unit.e)))

    return take(Session(model, device, host_steps=HostSteps(model, looks={point: [look] for point in points})), seen)


def _at(session: Session, seen: Numbers) -> Numbers:
    session.feed(_IDS)
    return seen


def _cache(session: Session, seen: Numbers) -> Numbers:
    session.feed(_IDS)
    return list(session.cache(0).values())


def _logits(session: Session, seen: Numbers) -> Numbers:
    return [session.score(_IDS)]


def _top(session: Session, seen: Numbers) -> Numbers:
    best = session.prefill(_IDS)
    return [best.ids, best.logits]
