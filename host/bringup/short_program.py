"""A few descriptors and their data in one buffer of a device: what is run to look at one part of the machine."""

from __future__ import annotations

import numpy as np

from host.compiler.descriptor_list import DescriptorList
from host.devices.base import Buffer, Device
from models.machine.descriptor import DESCRIPTOR_BYTES

__all__ = ["ShortProgram"]

_ALIGN = 4096


class ShortProgram:
    """`place` reserves regions and fills them, `list` takes the descriptors, `run` runs them and gives the cycles.

    Regions are multiples of 4 KiB. The device has one buffer, so a second program takes the place of the first. The
    buffer is `size` bytes in all, descriptors included.
    """

    def __init__(self, device: Device, size: int):
        self.device, self.list = device, DescriptorList()
        self.buffer: Buffer = device.allocate(-(-size // _ALIGN) * _ALIGN)
        self._used = 0

    def place(self, data: np.ndarray) -> int:
        """The address of a region with these bytes."""
        raw = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        address = self.reserve(raw.size)
        start = address - self.buffer.address
        self.buffer.array[start:start + raw.size] = raw
        return address

    def reserve(self, size: int) -> int:
        """The address of a region of so many bytes."""
        start = self._used
        self._used += -(-size // _ALIGN) * _ALIGN
        assert self._used <= self.buffer.array.size, "a short program's buffer is too small"
        return self.buffer.address + start

    def run(self) -> int:
        """Run the descriptors from position 0 on; the cycles. `DeviceError` where the device stops."""
        packed = self.list.packed()
        address = self.place(np.frombuffer(b"".join(packed), np.uint8))
        assert len(packed) * DESCRIPTOR_BYTES <= self.buffer.array.size
        self.device.flush(self.buffer, 0, self.buffer.array.size)
        return self.device.run(address, len(packed), 0)

    def read(self, address: int, size: int) -> np.ndarray:
        """Bytes that the device wrote, uint8 [size]."""
        start = address - self.buffer.address
        self.device.invalidate(self.buffer, start, size)
        return self.buffer.array[start:start + size].copy()
