"""Reading and writing `.safetensors` files: mapped, not copied, and bfloat16 included.

The `safetensors` library parses and checks the header; it would copy the data, and knows no bfloat16 in NumPy.
Layout: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, the data, which
lie in the order of their offsets without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from models.errors import ModelError
from models.mapped_file import MappedFile

__all__ = ["PADDING", "SafetensorsFile", "TensorEntry", "write_safetensors"]

PADDING = "padding."
"""Names of tensors that only fill gaps begin so."""

_DTYPES = {"U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
           "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?", "BF16": "<u2"}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items() if name != "BF16"}
_FLOATS = ("F16", "BF16", "F32", "F64")
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
        self._file = MappedFile(path)
        size = self._file.bytes.size
        try:
            with safe_open(path, framework="numpy") as header:
                listed = [(name, (part := header.get_slice(name)).get_dtype(), tuple(part.get_shape()))
                          for name in header.offset_keys()]
        except SafetensorError as error:
            raise ModelError(f"{path}: expected a whole safetensors file, found {size} bytes that are damaged or cut "
                             f"short: {' '.join(str(error).split())[:200]}") from None
        self._entries: dict[str, TensorEntry] = {}
        end = 8 + int.from_bytes(self._file.bytes[:8].tobytes(), "little")
        for name, dtype, shape in listed:
            if dtype not in _DTYPES:
                raise ModelError(f"{path}: tensor {name}: expected one of {', '.join(_DTYPES)}, found {dtype}")
            start, end = end, end + math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
            self._entries[name] = TensorEntry(dtype, shape, start, end)
        if end != size:  # the library refuses gaps; were that to change, these offsets would be wrong
            raise ModelError(f"{path}: expected {end} bytes, found {size}")

    def __getitem__(self, name: str) -> TensorEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def stored(self, name: str) -> np.ndarray:
        """The tensor as it is stored, read-only; bfloat16 as uint16."""
        entry = self._entries[name]
        return self._file.bytes[entry.start : entry.end].view(_DTYPES[entry.dtype]).reshape(entry.shape)

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

    def release(self) -> None:
        """Give back the pages read so far; arrays stay valid."""
        self._file.release()


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
