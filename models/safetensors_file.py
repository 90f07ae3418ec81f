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
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from models.errors import ModelError
from models.file_kind import SAFETENSORS, file_kind
from models.mapped_file import MappedFile

__all__ = ["PADDING", "SafetensorsFile", "SafetensorsWriter", "TensorEntry", "tensor_bytes"]

PADDING = "padding."
"""Names of tensors that only fill gaps begin so."""

_DTYPES = {"U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
           "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?", "BF16": "<u2"}
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
            if (kind := file_kind(path)) not in (None, SAFETENSORS):
                raise ModelError(f"{path}: expected a safetensors file, found {kind}") from None
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

    def float32(self, name: str, rows: slice = slice(None)) -> np.ndarray:
        """A floating-point tensor, or rows of it, in float32 (a copy unless stored so); `ModelError` otherwise."""
        dtype = self._entries[name].dtype
        if dtype not in _FLOATS:
            raise ModelError(f"{self.path}: tensor {name}: expected one of {', '.join(_FLOATS)}, "
                             f"found {dtype}")
        stored = self.stored(name)[rows] if self._entries[name].shape else self.stored(name)
        if dtype == "BF16":  # the upper half of a float32
            wide = stored.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        return stored.astype(np.float32, copy=False)

    def release(self) -> None:
        """Give back the pages read so far; arrays stay valid."""
        self._file.release()


class SafetensorsWriter:
    """Writes tensors whose types and shapes are known beforehand, in any order, whole or by rows.

    layout: name -> type by its safetensors name, shape. The same tensors give the same bytes. Every tensor starts
    at a multiple of 64 bytes of the file: the format knows no gaps, so what lies between two is a tensor too, named
    PADDING and a number; sizes that need none come first. (The library's writer takes all tensors at once, in
    memory, and aligns none.) A context manager; leaving it complains about what was not written.
    """

    def __init__(self, path: Path, layout: Mapping[str, tuple[str, tuple[int, ...]]]):
        sizes = {name: _bytes(*what) for name, what in layout.items()}
        header: dict[str, Any] = {}
        end = 0
        for number, name in enumerate(sorted(layout, key=lambda name: (sizes[name] % _ALIGN != 0, name))):
            start, end = end, end + sizes[name]
            header[name] = {"dtype": layout[name][0], "shape": list(layout[name][1]), "data_offsets": [start, end]}
            if gap := -end % _ALIGN:
                header[f"{PADDING}{number}"] = {"dtype": "U8", "shape": [gap], "data_offsets": [end, end + gap]}
                end += gap
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % _ALIGN)
        self._layout, self._left = dict(layout), sizes
        self._starts = {name: 8 + len(text) + header[name]["data_offsets"][0] for name in layout}
        self._file = open(path, "wb")  # closed by __exit__
        self._file.write(len(text).to_bytes(8, "little") + text)
        self._file.truncate(8 + len(text) + end)  # gaps are zeros

    def put(self, name: str, rows: np.ndarray, start: int = 0) -> None:
        """Write a tensor, or the rows of it from number `start` on."""
        dtype, shape = self._layout[name]
        if rows.dtype != _DTYPES[dtype] or rows.shape[1:] != shape[1:]:
            raise ValueError(f"{name}: {rows.dtype} {rows.shape} for {dtype} {shape}")
        self._left[name] -= rows.nbytes
        self._file.seek(self._starts[name] + start * (rows.nbytes // max(1, len(rows)) if shape else 0))
        self._file.write(np.ascontiguousarray(rows).data)

    def __enter__(self) -> SafetensorsWriter:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._file.close()
        if kind is None and (left := {name: size for name, size in self._left.items() if size}):
            raise ValueError(f"bytes of tensors not written: {left}")


def tensor_bytes(layout: Mapping[str, tuple[str, tuple[int, ...]]]) -> int:
    """Bytes of all tensors of a layout, as `SafetensorsWriter` takes it, without what lies between them."""
    return sum(_bytes(*what) for what in layout.values())


def _bytes(dtype: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
