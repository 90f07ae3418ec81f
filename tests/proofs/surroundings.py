"""What stands in a proof for the parts of a unit that have proofs of their own, and for large memories."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from tests.proofs.claims import Claims

__all__ = ["LARGE_BITS", "FreeMemory", "FreeUnit", "free_parts", "streams_of"]

LARGE_BITS = 512
"""Of a memory, from which on it may read as anything."""


def streams_of(unit: wiring.Component, flow: wiring.Flow) -> Iterator[tuple[str, object]]:
    """The unit's streams of one direction, by path, those in arrays and interfaces included."""
    yield from _streams("", unit.signature, unit, flow)


def _streams(path: str, signature: wiring.Signature, interface: object, flow: wiring.Flow
             ) -> Iterator[tuple[str, object]]:
    for name, member in signature.members.items():
        if not member.is_signature:
            continue
        inner = member.signature
        for place, value in _each(f"{path}{name}", getattr(interface, name), member.dimensions):
            given = not isinstance(inner, wiring.FlippedSignature)  # as an input's is
            if isinstance(inner if given else inner.flip(), stream.Signature):
                if given == (flow == Out):
                    yield place, value
            else:
                yield from _streams(f"{place}.", inner, value, flow)


def _each(path: str, value: object, dimensions: tuple[int, ...]) -> Iterator[tuple[str, object]]:
    if not dimensions:
        yield path, value
        return
    for n, item in enumerate(value):
        yield from _each(f"{path}[{n}]", item, dimensions[1:])


class FreeUnit(Elaboratable):
    """A unit of which nothing is known but that its streams hold: what is on offer stays until it is taken."""

    def __init__(self, c: Claims, unit: wiring.Component) -> None:
        self._free = {}
        self._unit = unit
        for path, member, value in unit.signature.flatten(unit):
            if member.flow == Out:
                value = Value.cast(value)
                if isinstance(value, Const):  # as `ready` is of a stream that always is
                    continue
                self._free[id(value)] = value, c.free(value.shape(), "free_" + "__".join(map(str, path)))

    def elaborate(self, platform) -> Module:
        m = Module()
        streams = [s for _, s in streams_of(self._unit, Out)]
        for offered in streams:
            waits, kept = Signal(), Signal(Value.cast(offered.payload).shape())
            valid, payload = self._take(offered.valid), self._take(offered.payload)
            m.d.sync += [waits.eq(offered.valid & ~offered.ready), kept.eq(offered.payload)]
            m.d.comb += Value.cast(offered.payload).eq(Mux(waits, kept, payload))
            if not isinstance(offered.valid, Const):
                m.d.comb += offered.valid.eq(waits | valid)
        for value, free in self._free.values():
            m.d.comb += value.eq(free)
        return m

    def _take(self, value) -> Value:
        if isinstance(Value.cast(value), Const):
            return Value.cast(value)
        return self._free.pop(id(Value.cast(value)))[1]


class FreeMemory(Elaboratable):
    """A memory that reads as anything; a synchronous port keeps what it has read while it is not enabled."""

    def __init__(self, c: Claims, memory: Memory) -> None:
        self._ports = [(port, c.free(Value.cast(port.data).shape(), f"read_{n}"))
                       for n, port in enumerate(memory.read_ports)]

    def elaborate(self, platform) -> Module:
        m = Module()
        for port, free in self._ports:
            if port.signature is not None and port.domain == "comb":
                m.d.comb += Value.cast(port.data).eq(free)
            else:
                with m.If(port.en):
                    m.d.sync += Value.cast(port.data).eq(free)
        return m


def free_parts(c: Claims, module: Module) -> None:
    """Put free units in place of a module's parts that have streams, and free memories in place of large ones."""
    for parts in (module._named_submodules, module._anon_submodules):
        items = parts.items() if isinstance(parts, dict) else enumerate(parts)
        for key, entry in list(items):
            inner = entry[0] if isinstance(entry, tuple) else entry
            wrapped = getattr(inner, "_elaboratable_", None)
            replacement = _replacement(c, wrapped if wrapped is not None else inner)
            if replacement is None:
                continue
            if wrapped is not None:
                inner._elaboratable_ = replacement
            else:
                parts[key] = (replacement, *entry[1:]) if isinstance(entry, tuple) else replacement


def _replacement(c: Claims, part: object) -> Elaboratable | None:
    if isinstance(part, Memory):
        bits = Value.cast(part.read_ports[0].data).shape().width * part.depth if part.read_ports else 0
        return FreeMemory(c, part) if bits > LARGE_BITS else None
    if isinstance(part, wiring.Component) and (any(streams_of(part, Out)) or any(streams_of(part, In))):
        return FreeUnit(c, part)
    return None
