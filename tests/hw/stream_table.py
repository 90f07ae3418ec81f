"""The base of tests of units whose streams are known in advance: a unit's test is a table of cases.

    check(RoundShift(62, 25, 11), [Case("ties", inputs={"i": operands}, outputs={"o": results})])

`check` runs all cases in one simulation, so that a further case costs its cycles and no start of a simulator. Ports are
named by their path, as in Verilog: `o`, `take__0`, `memory__address`. Values are what `sim.packing` packs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In

from hw.boards.technology import ULTRASCALE_PLUS, Technology
from sim.packing import Packing
from sim.runner import run_bench

__all__ = ["Case", "check"]

_BENCH = "tests.hw.stream_table_bench"

Transfers = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """What goes into a unit out of reset, and exactly what has to come out.

    name: unlike those of the other cases of a table, for the message.
    inputs: the payloads of each input stream, in order. A list of such mappings is a sequence of steps: each begins
        when the one before has gone in whole. All of it must be taken.
    outputs: the payloads of each output stream, in order. No more may come; from a stream not named, nothing.
    settings: the values of plain input ports, from reset to the end; those not named are zero.
    steady: the values of plain output ports at the end, when all transfers are through.
    care: masks of the bits that are compared, for each transfer of an output stream, as values of its layout; streams
        not named are compared whole.
    """

    name: str
    inputs: Transfers | Sequence[Transfers]
    outputs: Transfers
    settings: Mapping[str, Any] = field(default_factory=dict)
    steady: Mapping[str, Any] = field(default_factory=dict)
    care: Transfers = field(default_factory=dict)


def check(unit: wiring.Component, cases: Sequence[Case], *, stalls: Sequence[float] = (0.0, 0.3),
          technology: Technology | None = ULTRASCALE_PLUS) -> None:
    """Run every case, with each probability of stalls of every stream's valid and ready, in one simulation.

    The unit is held in reset before each run; its memories keep what the run before left. Raises BenchFailure, by an
    assertion, that tells of each run that failed: case, stall, port, number of the transfer, the fields that differ.
    ValueError for a table that does not fit the unit's ports.
    """
    __tracebackhide__ = True
    names = [case.name for case in cases]
    if not names or len(set(names)) < len(names) or not stalls:
        raise ValueError(f"need cases, each with a name of its own, and stalls, got {names} and {list(stalls)}")
    ports = _Ports(unit)
    run_bench(unit, _BENCH, {"ports": ports.described(), "cases": [ports.packed(case) for case in cases],
                             "stalls": list(stalls)}, technology=technology)


@dataclass(frozen=True)
class _Port:
    shape: ShapeLike
    inward: bool
    stream: bool
    always_ready: bool = False


def _walk(signature: wiring.Signature, path: str = "") -> Iterator[tuple[str, _Port]]:
    """Every stream and plain port of a signature."""
    for name, member in signature.members.items():
        places = [path + name]
        for length in member.dimensions:
            places = [f"{place}__{n}" for place in places for n in range(length)]
        for place in places:
            if member.is_port:
                yield place, _Port(member.shape, member.flow == In, stream=False)
            elif isinstance(member.signature, stream.Signature):
                payload = member.signature.members["payload"]
                yield place, _Port(payload.shape, member.flow == In, True, member.signature.always_ready)
            else:
                yield from _walk(member.signature, f"{place}__")


class _Ports:
    """The ports of a unit, and values packed for them."""

    def __init__(self, unit: wiring.Component):
        self._ports = dict(_walk(unit.signature))

    def described(self) -> dict[str, Any]:
        """What the bench needs of them."""
        def named(inward: bool, stream: bool) -> list[str]:
            return [name for name, port in self._ports.items() if (port.inward, port.stream) == (inward, stream)]

        return {"settings": [name for name in named(True, False) if Shape.cast(self._ports[name].shape).width],
                "inputs": named(True, True), "outputs": named(False, True),
                "always_ready": [name for name, port in self._ports.items() if port.always_ready],
                "fields": {name: _fields(port.shape) for name, port in self._ports.items() if not port.inward}}

    def packed(self, case: Case) -> dict[str, Any]:
        """A case with all its values as integers."""
        steps = [case.inputs] if isinstance(case.inputs, Mapping) else case.inputs
        for port, masks in case.care.items():
            if len(masks) != len(case.outputs.get(port, ())):
                raise ValueError(f"{case.name}: {len(masks)} masks for {len(case.outputs.get(port, ()))} of {port}")

        def one(port: str, value: Any, inward: bool, stream: bool) -> int:
            found = self._ports.get(port)
            if found is None or (found.inward, found.stream) != (inward, stream):
                kind = f"{'input' if inward else 'output'} {'stream' if stream else 'port'}"
                raise ValueError(f"{case.name}: {port} is not an {kind}")
            try:
                return Packing.of(found.shape).pack(value)
            except ValueError as error:
                raise ValueError(f"{case.name}: {port}: {error}") from None

        def transfers(given: Transfers, inward: bool) -> dict[str, list[int]]:
            return {port: [one(port, value, inward, True) for value in values] for port, values in given.items()}

        return {"name": case.name, "steps": [transfers(step, True) for step in steps],
                "outputs": transfers(case.outputs, False), "care": transfers(case.care, False),
                "settings": {port: one(port, value, True, False) for port, value in case.settings.items()},
                "steady": {port: one(port, value, False, False) for port, value in case.steady.items()}}


def _fields(shape: ShapeLike, path: str = "", offset: int = 0) -> list[tuple[str, int, int, bool]]:
    """Path, offset, width and sign of every integer within a shape."""
    if isinstance(shape, type) and issubclass(shape, data.Struct):
        shape = shape.as_shape()
    if isinstance(shape, data.Layout) and not isinstance(shape, data.UnionLayout):
        return [found for key, part in shape for found in _fields(
            part.shape, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}", offset + part.offset)]
    plain = Shape.cast(shape)
    return [(path, offset, plain.width, plain.signed)]
