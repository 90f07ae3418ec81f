"""Devices by name. Those with needs of their own (Verilator, a board) are imported when asked for."""

from __future__ import annotations

from host.devices.base import Device
from models.errors import DeviceError
from models.machine.build import BuildParameters

__all__ = ["DEVICES", "open_device"]

# name: (module, class, what to install where the module's needs are missing)
DEVICES = {
    "emulator": ("host.devices.emulator", "EmulatorDevice", ""),
    "rtl": ("sim.rtl_device", "RtlDevice", "pip install 'tritloom[sim]'"),
    "serial": ("host.link.device", "SerialDevice", "pip install 'tritloom[serial]'"),
    "pynq": ("host.board.device", "PynqDevice", "pip install 'tritloom[board]'"),
}


def open_device(name: str, build: BuildParameters, *, identified: bool = True, **options: object) -> Device:
    """The device `name` for a build, with options of its own (the emulator's kernels and threads). identified: whether
    it has to speak this version of the registers.

    `DeviceError` where it is unknown or its packages are missing.
    """
    if name not in DEVICES:
        raise DeviceError(f"unknown device {name!r}; known: {', '.join(DEVICES)}")
    module, cls, install = DEVICES[name]
    try:
        device = getattr(__import__(module, fromlist=[cls]), cls)(build, **options)  # as a statement, `tritloom.apart`
    except ImportError as error:
        raise DeviceError(f"device {name} needs the package {error.name!r}: {install}") from None
    if identified:
        device.identify()
    return device
