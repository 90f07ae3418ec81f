"""Netlists of parts, synthesised one by one, joined at their ports into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hw.synthesis.netlist import Bit, Cell, Netlist

__all__ = ["join_netlists"]

_SHARED = ("clk", "rst")


def join_netlists(frame: Netlist, parts: Mapping[str, Netlist]) -> Netlist:
    """One netlist of `frame` and the parts that its ports `name__port` leave room for.

    Port `part.port` of each part (read with that prefix) meets the frame's `part__port`, `clk` and `rst` the frame's
    own; what the frame has besides are the ports of the whole. A path from one to another then counts whole. What one
    run of all would find across ports (constants, unused outputs, equal logic) stays: sites are those of the parts,
    added up. `ValueError` for an input that nothing drives.
    """
    nets = _Nets()
    netlists = [nets.renumbered(netlist) for netlist in (*parts.values(), frame)]
    *joined, frame = netlists
    inner = {f"{name}__" for name in parts}
    for name, part in zip(parts, joined, strict=True):
        outputs = {f"{name}__{port.removeprefix(f'{name}.')}": bits for port, bits in part.outputs.items()}
        for port, bits in frame.inputs.items():
            if port.startswith(f"{name}__"):
                nets.join(port, bits, outputs)
        for port, bits in part.inputs.items():
            port = port.removeprefix(f"{name}.")
            if port in _SHARED:
                nets.join(port, bits, frame.inputs)
            else:
                nets.join(f"{name}__{port}", bits, frame.outputs)

    def outer(ports: dict[str, list[Bit | None]]) -> dict[str, list[Bit | None]]:
        return {port: nets.found(bits) for port, bits in ports.items()
                if not any(port.startswith(prefix) for prefix in inner)}

    cells = [Cell(cell.name, cell.hidden, cell.type, cell.parameters,
                  {pin: nets.found(bits) for pin, bits in cell.inputs.items()},
                  {pin: nets.found(bits) for pin, bits in cell.outputs.items()})
             for netlist in netlists for cell in netlist.cells]
    return Netlist(cells, outer(frame.inputs), outer(frame.outputs), _names(nets, netlists))


class _Nets:
    """Bits of several netlists, numbered anew, and which of them are one net."""

    def __init__(self) -> None:
        self._next = 2
        self._same: dict[Bit, Bit | None] = {}

    def renumbered(self, netlist: Netlist) -> Netlist:
        """The same netlist with bits that no other has."""
        first, highest = self._next, 0

        def pins(named: dict[str, list[Bit | None]]) -> dict[str, list[Bit | None]]:
            nonlocal highest
            highest = max([highest, *(bit for bits in named.values() for bit in bits if bit is not None)])
            return {name: [None if bit is None else bit + first for bit in bits] for name, bits in named.items()}

        cells = [Cell(cell.name, cell.hidden, cell.type, cell.parameters, pins(cell.inputs), pins(cell.outputs))
                 for cell in netlist.cells]
        moved = Netlist(cells, pins(netlist.inputs), pins(netlist.outputs),
                        {bit + first: name for bit, name in netlist.names.items()})
        self._next = first + max([highest, *netlist.names]) + 1
        return moved

    def join(self, port: str, bits: list[Bit | None], sources: dict[str, list[Bit | None]]) -> None:
        """An input's bits are those of the source of its name."""
        if len(sources.get(port, ())) != len(bits):
            raise ValueError(f"nothing drives the {len(bits)} bits of {port}")
        for bit, source in zip(bits, sources[port], strict=True):
            if bit is not None:
                self._same[bit] = source

    def found(self, bits: Iterable[Bit | None]) -> list[Bit | None]:
        """The bits that drive these, through any number of ports."""
        result = []
        for bit in bits:
            while bit in self._same:
                bit = self._same[bit]
            result.append(bit)
        return result


def _names(nets: _Nets, netlists: list[Netlist]) -> dict[Bit, str]:
    """A net is called what the netlist that drives it calls it."""
    names: dict[Bit, str] = {}
    for netlist in netlists:
        driven = {bit for cell in netlist.cells for bits in cell.outputs.values() for bit in bits}
        names |= {bit: name for bit, name in netlist.names.items() if bit in driven}
    for netlist in netlists:
        for bit, name in netlist.names.items():
            (net,) = nets.found([bit])
            if net is not None:
                names.setdefault(net, name)
    return names
