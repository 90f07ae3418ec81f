"""One board: its chip, ports and memory, the build that is emitted for it, and the files of its flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hw.boards.attachment import Processor, SerialLine
from hw.boards.device import Device, Resources
from hw.boards.memory_rate import MemoryRate
from hw.boards.technology import Technology
from models.errors import BuildError
from models.machine.build import BuildParameters
from models.machine.dram_starts import PACKED, DramStarts

__all__ = ["Board", "Ports", "Share"]


@dataclass(frozen=True)
class Ports:
    """Of the board's memory, for the fabric: `count` slaves of `bits` bits that speak `axi`.

    bits: 128, or 64, behind which units of 128 take two beats for one. axi: "AXI3" or "AXI4". bursts: reads that a port
    has under way, as its processor boots. `ValueError` for others.
    """

    count: int
    bits: int
    axi: str
    address_bits: int = 40
    bursts: int = 8

    def __post_init__(self) -> None:
        if self.bits not in (64, 128):
            raise ValueError(f"a port has 64 or 128 bits, not {self.bits}")
        if self.axi not in ("AXI3", "AXI4"):
            raise ValueError(f"a port speaks AXI3 or AXI4, not {self.axi}")
        if self.axi == "AXI3" and self.bits == 128:
            raise ValueError("no AXI3 port has 128 bits: an ID at the data is there behind narrow ones alone")


@dataclass(frozen=True)
class Share:
    """What the engine (linear engine, weight buffer, ports, sequencer) may take of a device, as fractions: what the
    other units leave. The defaults are for a device no smaller than the KV260's."""

    lut: float = 0.45
    uram: float = 0.75
    bram36: float = 0.486


@dataclass(frozen=True, kw_only=True)
class Board:
    """name: on the command line, and of its build. folder: that of its data and of its flow's files.

    simulated: there is no such board; its device is what reports are held against. missing: why nothing can be emitted
    for it, "" where it can. share: what of the device `hw.analytic` gives the engine. build: what is emitted, and where
    the search for others starts. starts: where the compiler lets streams and caches begin. slower_clocks: in MHz, for
    where timing is not met at the build's. attachment: how a host reaches the fabric, and by which flow a bitstream is
    made.
    """

    name: str
    folder: Path
    device: Device
    ports: Ports
    memory: MemoryRate
    build: BuildParameters
    slower_clocks: tuple[int, ...] = ()
    simulated: bool = False
    missing: str = ""
    attachment: Processor | SerialLine = field(default=Processor())
    share: Share = field(default=Share())
    starts: DramStarts = PACKED

    def __post_init__(self) -> None:
        if self.build.name != self.name:
            raise ValueError(f"the build of board {self.name} is called {self.build.name}")

    @property
    def technology(self) -> Technology:
        """Of its device."""
        return self.device.technology

    @property
    def serial(self) -> SerialLine | None:
        """Of a board without a processor, for which a whole system is emitted (`hw.soc`); None for others."""
        return self.attachment if isinstance(self.attachment, SerialLine) else None

    @property
    def clocks(self) -> tuple[int, ...]:
        """Of its build and slower ones, in MHz."""
        return self.build.clock_mhz, *self.slower_clocks

    @property
    def files(self) -> list[Path]:
        """Scripts and constraints, its own and those it shares, by name."""
        own = (path for path in self.folder.iterdir() if path.is_file() and path.suffix != ".py")
        return sorted([*own, *self.attachment.shared_files], key=lambda path: path.name)

    @property
    def refusal(self) -> str:
        """What a user is told where nothing can be emitted for the board, "" where something can."""
        return f"board {self.name} cannot be built: {self.missing}" if self.missing else ""

    def check_emitted(self) -> None:
        """`BuildError` where nothing can be emitted for the board."""
        if self.refusal:
            raise BuildError(self.refusal)

    def check_chosen(self) -> None:
        """`BuildError` where no build can be chosen for the board's device, since it is not its own."""
        if self.simulated:
            raise BuildError(f"no build can be chosen for board {self.name}: it is only simulated")

    def fits(self, used: Resources) -> bool:
        """Whether its device has these sites."""
        return self.device.fits(used)
