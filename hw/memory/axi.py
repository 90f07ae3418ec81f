"""AXI4 and AXI4-Lite as signatures, seen from the master, with the standard's signal names in lower case."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ADDRESS_BITS", "DATA_BITS", "ID_BITS", "INCREMENT", "SIZE_16_BYTES", "Axi4", "Axi4Lite",
           "Axi4Read", "Axi4Write", "Response", "connect_flat", "connect_master", "flat_members"]

ADDRESS_BITS = 40
DATA_BITS = 128  # of the engines' beats, and of a port that is not narrower
ID_BITS = 4

SIZE_16_BYTES = 4  # AxSIZE of full beats
INCREMENT = 1  # AxBURST


class Response(IntEnum):
    """RRESP and BRESP. Bit 1 tells the errors."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def _read(bits: int) -> dict[str, wiring.Member]:
    return {
        "arid": Out(ID_BITS), "araddr": Out(ADDRESS_BITS), "arlen": Out(8), "arsize": Out(3), "arburst": Out(2),
        "arvalid": Out(1), "arready": In(1),
        "rid": In(ID_BITS), "rdata": In(bits), "rresp": In(2), "rlast": In(1), "rvalid": In(1),
        "rready": Out(1),
    }


def _write(bits: int) -> dict[str, wiring.Member]:
    return {
        "awid": Out(ID_BITS), "awaddr": Out(ADDRESS_BITS), "awlen": Out(8), "awsize": Out(3), "awburst": Out(2),
        "awvalid": Out(1), "awready": In(1),
        "wdata": Out(bits), "wstrb": Out(bits // 8), "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
        "bid": In(ID_BITS), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
    }


class Axi4Read(wiring.Signature):
    """Read channels of an AXI4 master."""

    def __init__(self) -> None:
        super().__init__(_read(DATA_BITS))


class Axi4Write(wiring.Signature):
    """Write channels of an AXI4 master."""

    def __init__(self) -> None:
        super().__init__(_write(DATA_BITS))


class Axi4(wiring.Signature):
    """AXI4 master of the data ports: `bits` of data, 40 of address, 4 of ID.

    Signals that never change on these ports (AxLOCK, AxCACHE, AxPROT, AxQOS) are left to the block
    design's defaults.
    """

    def __init__(self, bits: int = DATA_BITS) -> None:
        super().__init__({**_read(bits), **_write(bits)})


class Axi4Lite(wiring.Signature):
    """AXI4-Lite master: 32 bits of data. `In(Axi4Lite())` is a slave."""

    def __init__(self, address_width: int = 12) -> None:
        super().__init__({
            "awaddr": Out(address_width), "awvalid": Out(1), "awready": In(1),
            "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
            "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "araddr": Out(address_width), "arvalid": Out(1), "arready": In(1),
            "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
        })


def connect_master(m: Module, master: object, port: object) -> None:
    """Wire a master's interface of some channels (`Axi4Read`, `Axi4Write`) to a port that has more."""
    for name, member in master.signature.members.items():
        inner, outer = getattr(master, name), getattr(port, name)
        m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)


def flat_members(prefix: str, signature: wiring.Signature) -> dict[str, wiring.Member]:
    """The signals as members of their own, `<prefix>_<signal>`: names as IP packagers expect them.

    A slave's are those of `Axi4Lite().flip()`.
    """
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


def connect_flat(m: Module, interface: object, component: object, prefix: str) -> None:
    """Wire an interface of a submodule to the flat members of `component`."""
    for name, member in interface.signature.members.items():
        inner, outer = getattr(interface, name), getattr(component, f"{prefix}_{name}")
        m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
