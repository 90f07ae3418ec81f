"""Reading and writing `.safetensors` files with NumPy alone, memory-mapped, bfloat16 included.

Layout: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, the data.
Offsets count from the end of the header.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import ModelError

__all__ = ["PADDING", "SafetensorsFile", "TensorEntry", "write_safetensors"]

PADDING = "padding."
"""Names of tensors that only fill gaps begin so."""

_DTYPES = {"U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
           "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?", "BF16": "<u2"}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items() if name != "BF16"}
_FLOATS = ("F16", "BF16", "F32", "F64")
_HEADER_MAX = 100_000_000  # as the reference reader
_ALIGN = 64  # a cache line, and the widest vector load


class TensorEntry(NamedTuple):
    """One tensor of a header: dtype by its safetensors name, shape, first and last byte within the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class SafetensorsFile(Mapping[str, TensorEntry]):
    """A file's header as a mapping of names; `ModelError` where the file is damaged or cut short.

    The data are mapped, not read: `stored` costs nothing until its elements are touched.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._data = np.memmap(path, np.uint8, "r")
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise ModelError(f"{path}: cannot be read as safetensors: {error}") from None
        self._entries = self._parse()

    def _parse(self) -> dict[str, TensorEntry]:
        size = self._data.size
        length = int.from_bytes(self._data[:8].tobytes(), "little")
        if size < 8 or length > min(size - 8, _HEADER_MAX):
            raise ModelError(f"{self.path}: not a safetensors file, or cut short: "
                             f"expected a header of {length} bytes, found {size} bytes in all")
        try:
            header = json.loads(self._data[8 : 8 + length].tobytes())
            header.pop("__metadata__", None)
            listed = {name: (x["dtype"], tuple(map(int, x["shape"])), *map(int, x["data_offsets"]))
                      for name, x in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ModelError(f"{self.path}: its safetensors header is damaged") from None
        entries = {}
        for name, (dtype, shape, start, end) in listed.items():
            where = f"{self.path}: tensor {name}"
            if dtype not in _DTYPES:
                raise ModelError(f"{where}: expected one of {', '.join(_DTYPES)}, found {dtype}")
            expected = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
            if min(shape, default=0) < 0 or start < 0 or end - start != expected:
                raise ModelError(f"{where}: expected {expected} bytes for {dtype} {list(shape)}, "
                                 f"found {end - start}")
            if 8 + length + end > size:
                raise ModelError(f"{where}: expected data up to byte {8 + length + end}, "
                                 f"found a file of {size} bytes; it is cut short")
            entries[name] = TensorEntry(dtype, shape, 8 + length + start, 8 + length + end)
        return entries

    def __getitem__(self, name: str) -> TensorEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def stored(self, name: str) -> np.ndarray:
        """The tensor as it is stored, read-only; bfloat16 as uint16."""
        entry = self._entries[name]
        flat = np.asarray(self._data[entry.start : entry.end])
        return flat.view(_DTYPES[entry.dtype]).reshape(entry.shape)

    def float32(self, name: str) -> np.ndarray:
        """A floating-point tensor in float32 (a copy unless stored so); `ModelError` for another type."""
        dtype = self._entries[name].dtype
        if dtype not in _FLOATS:
            raise ModelError(f"{self.path}: tensor {name}: expected one of {', '.join(_FLOATS)}, "
                             f"found {dtype}")
        stored = self.stored(name)
        if dtype == "BF16":  # the upper half of a float32
            wide = stored.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        return stored.astype(np.float32, copy=False)


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write arrays without copying them all; the same arrays give the same bytes.

    Every tensor starts at a multiple of 64 bytes of the file. The format knows no gaps, so what lies between
    two tensors is a tensor too, named PADDING and a number; sizes that need none come first.
    """
    order = sorted(tensors, key=lambda name: (tensors[name].nbytes % _ALIGN != 0, name))
    header, end = {}, 0
    for number, name in enumerate(order):
        start, end = end, end + tensors[name].nbytes
        header[name] = {"dtype": _NAMES[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [start, end]}
        if gap := -end % _ALIGN:
            header[f"{PADDING}{number}"] = {"dtype": "U8", "shape": [gap], "data_offsets": [end, end + gap]}
            end += gap
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGN)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).data)
            file.write(bytes(-tensors[name].nbytes % _ALIGN))
