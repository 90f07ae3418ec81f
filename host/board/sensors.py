"""A board's sensors, as the kernel shows them in /sys/class/hwmon: power, temperature, fan.

A KV260 has an INA260 on the 5 V rail of its module, U14; the kernel calls it ina260_u14. Of other boards any INA260 is
taken. The files are read as they are, without PYNQ and without libsensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["POWER", "Sensor", "fans", "power_sensor", "temperatures"]

POWER = "ina260_u14"
_ANY_POWER = "ina260"
_MICROWATTS, _MILLIDEGREES = 1e-6, 1e-3


@dataclass(frozen=True)
class Sensor:
    """One file of a sensor. name: of the chip, as the kernel calls it. scale: from its unit to watts, degrees Celsius
    or turns a minute."""

    name: str
    path: Path
    scale: float = 1.0

    def read(self) -> float | None:
        """The value now; None where the sensor doesn't answer."""
        try:
            return float(self.path.read_text()) * self.scale
        except (OSError, ValueError):
            return None


def power_sensor(root: Path = Path("/")) -> Sensor | None:
    """What measures the board's power in watts, None where nothing does. root: of the file system."""
    found = [sensor for sensor in _chips(root, "power1_input", _MICROWATTS) if sensor.name.startswith(_ANY_POWER)]
    return next((sensor for sensor in found if sensor.name == POWER), found[0] if found else None)


def temperatures(root: Path = Path("/")) -> list[Sensor]:
    """All sensors of temperature, in degrees Celsius."""
    return list(_chips(root, "temp*_input", _MILLIDEGREES))


def fans(root: Path = Path("/")) -> list[Sensor]:
    """All fans whose turns a minute are counted."""
    return list(_chips(root, "fan*_input", 1.0))


def _chips(root: Path, pattern: str, scale: float) -> Iterator[Sensor]:
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        try:
            name = (chip / "name").read_text().strip()
        except OSError:
            continue
        for path in sorted(chip.glob(pattern)):
            yield Sensor(name, path, scale)
