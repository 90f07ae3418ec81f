"""The container of a GGUF file: metadata as plain values, tensors as bytes that lie where the header says.

`gguf.GGUFReader` parses the header, but takes neither bitnet.cpp's types nor a file that lies about its sizes well:
it refuses the former and reads past the end of the latter. Both are mended here, and tensors are mapped, not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType
from gguf.gguf_reader import GGUFReader

from models.errors import ModelError, located
from models.mapped_file import MappedFile

__all__ = ["I2_S", "PQ2_0", "PTQ1_0", "Q2_0", "Q2_0_128", "GgufFile", "GgufTensor", "type_name"]

I2_S = 36
"""bitnet.cpp's two-bit type; llama.cpp gave the number to another type and took it back."""

Q2_0 = 42
"""llama.cpp's, 64 weights in 18 bytes. A fork gave the number to 128 weights in 34 bytes, others to STQ1_0."""

PQ2_0, PTQ1_0 = 142, 143
"""The fork's own."""

_OWN = 1 << 16  # numbers that no file has: what 42 turns out to mean
Q2_0_128, _STQ1_0 = _OWN + 1, _OWN + 2
_MEANINGS = (Q2_0, Q2_0_128, _STQ1_0)
_SIZES = {Q2_0: (64, 18), Q2_0_128: (128, 34), PQ2_0: (128, 34), PTQ1_0: (128, 28), _STQ1_0: (256, 42), 43: (256, 42)}
"""Weights and bytes of a block, of types that the library does not know."""

_I2_S_TAIL = 32  # bytes after the codes, the scale among them
_NAMES = {I2_S: "I2_S", 38: "TL1", 39: "MXFP4 or bitnet.cpp's TL2", Q2_0: "Q2_0", PQ2_0: "PQ2_0", PTQ1_0: "PTQ1_0",
          Q2_0_128: "Q2_0 of 128 weights", _STQ1_0: "STQ1_0 (Sherry)", 43: "STQ1_0 (Sherry)"}
_LIMITS = {"metadata entries": 1 << 16, "tensors": 1 << 16, "bytes in a string": 1 << 24,
           "strings in an array": 1 << 22, "dimensions": 4}


class _CutShort(ModelError):
    """A tensor begins where it should and does not end in the file."""


class GgufTensor(NamedTuple):
    """type: a ggml number; shape: outermost dimension first; start, end: bytes within the file."""

    type: int
    shape: tuple[int, ...]
    start: int
    end: int


class GgufFile(Mapping[str, GgufTensor]):
    """Names of tensors to where they lie; `fields` holds the metadata. `ModelError` for a file that is damaged."""

    def __init__(self, path: Path):
        self.path = path
        self._file = MappedFile(path)
        try:
            with located(path):
                reader = _Reader(path)
            self.fields: dict[str, object] = {name: field.contents() for name, field in reader.fields.items()}
        except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
            what = ' '.join(str(error).split())[:200]
            raise ModelError(f"{path}: expected a whole GGUF file, found {self._file.bytes.size} bytes that are "
                             f"damaged or cut short: {what}") from None
        self._tensors: dict[str, GgufTensor] = {}
        if all(listed.type != Q2_0 for listed in reader.listed):
            self._place(reader)
        else:
            self._place_meanings(reader)

    def _place_meanings(self, reader: _Reader) -> None:
        """Place the tensors with the one meaning of type 42 by whose sizes they fill the file."""
        fitting: list[tuple[int, dict[str, GgufTensor]]] = []
        furthest, reason = (-1, False), ModelError(f"{self.path}: no tensors")
        for meaning in _MEANINGS:
            self._tensors = {}
            try:
                self._place(reader, meaning)
            except ModelError as error:
                reached = len(self._tensors), isinstance(error, _CutShort)
                if reached > furthest:
                    furthest, reason = reached, error
            else:
                fitting.append((meaning, self._tensors))
        if not fitting:
            raise reason
        if len(fitting) != 1:
            what = ", ".join(type_name(meaning) for meaning, _ in fitting)
            raise ModelError(f"{self.path}: expected sizes by which type 42 has one meaning, found those of {what}")
        self._tensors = fitting[0][1]

    def _place(self, reader: _Reader, meaning: int | None = None) -> None:
        """meaning: of type 42, where there is such a tensor; the file must then end with the last one."""
        base = expected = int(reader.data_offset)
        for listed in reader.listed:
            if listed.type == Q2_0 and meaning is not None:
                listed = listed._replace(type=meaning)
            tensor = self._placed(listed, base, expected)
            self._tensors[listed.name] = tensor
            expected = tensor.end + (base - tensor.end) % int(reader.alignment)
        if meaning is not None and self._file.bytes.size > expected:
            raise ModelError(f"{self.path}: expected the file's end at byte {expected}, behind the last tensor, found "
                             f"{self._file.bytes.size} bytes")

    def _placed(self, listed: _Listed, base: int, expected: int) -> GgufTensor:
        """Where a tensor lies, checked: next to the one before it, whole, and within the file."""
        where = f"{self.path}: tensor {listed.name}"
        if not 1 <= len(listed.shape) <= _LIMITS["dimensions"] or 0 in listed.shape:
            raise ModelError(f"{where}: expected 1 to {_LIMITS['dimensions']} dimensions above zero, "
                             f"found {list(listed.shape)}")
        start, size = base + listed.offset, _size(listed.type, listed.shape)
        if size is None:
            raise ModelError(f"{where}: expected whole blocks of a known type, found {list(listed.shape)} of "
                             f"{type_name(listed.type)}")
        if start != expected:  # as llama.cpp demands; it gives away a type of another size under the same number
            raise ModelError(f"{where}: expected its data at byte {expected}, after the tensor before it, "
                             f"found {start}")
        if start + size > self._file.bytes.size:
            raise _CutShort(f"{where}: expected data up to byte {start + size}, found a file of "
                            f"{self._file.bytes.size} bytes; it is cut short")
        return GgufTensor(listed.type, listed.shape, start, start + size)

    def __getitem__(self, name: str) -> GgufTensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def error(self, name: str, what: str) -> ModelError:
        """An error about one tensor, to be raised."""
        return ModelError(f"{self.path}: tensor {name}: {what}")

    def stored(self, name: str) -> np.ndarray:
        """The tensor's bytes, uint8 [size], read-only."""
        tensor = self._tensors[name]
        return self._file.bytes[tensor.start:tensor.end]

    def release(self) -> None:
        """Give back the pages read so far; arrays stay valid."""
        self._file.release()


def type_name(number: int) -> str:
    """A tensor type in words, whoever's it is."""
    try:
        return _NAMES.get(number) or GGMLQuantizationType(number).name
    except ValueError:
        return f"type {number}"


def _size(number: int, shape: tuple[int, ...]) -> int | None:
    """Bytes of a tensor; None where the type is unknown or a row is no whole number of its blocks."""
    values = math.prod(shape)
    if number == I2_S:
        return values // 4 + _I2_S_TAIL if values % 4 == 0 else None
    try:
        block, size = _SIZES.get(number) or GGML_QUANT_SIZES[GGMLQuantizationType(number)]
    except (ValueError, KeyError):
        return None
    return values // block * size if shape[-1] % block == 0 else None


class _Listed(NamedTuple):
    """A tensor as the header lists it, unchecked."""

    name: str
    type: int
    shape: tuple[int, ...]
    offset: int


class _Reader(GGUFReader):
    """The library's reader, held to the file's size; arrays are taken whole, tensors only listed."""

    listed: list[_Listed]

    def _get(self, offset, dtype, count=1, override_order=None):
        end = int(offset) + np.dtype(dtype).itemsize * int(count)
        if end > self.data.size:
            raise ValueError(f"something in the header ends at byte {end}")
        return super()._get(int(offset), dtype, count, override_order)

    def _get_str(self, offset):
        _limited("bytes in a string", self._get(offset, np.uint64)[0])
        return super()._get_str(offset)

    def _get_field_parts(self, orig_offs, raw_type):
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind, count = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
        item, offset = GGUFValueType(int(kind[0])), orig_offs + 12
        if item == GGUFValueType.STRING:  # views of a memory map cost a microsecond each: slice bytes instead
            values = self._strings(offset, _limited("strings in an array", count[0]))
            size = sum(8 + len(text) for text in values)
        elif item in self.gguf_scalar_to_np:
            values = [self._get(offset, self.gguf_scalar_to_np[item], count[0])]
            size = values[0].nbytes
        else:
            raise ValueError("an array of arrays")
        return 12 + size, [kind, count, *values], list(range(2, 2 + len(values))), [GGUFValueType.ARRAY, item]

    def _strings(self, offset: int, count: int) -> list[memoryview]:
        data, found = memoryview(np.asarray(self.data)), []
        for _ in range(count):
            end = offset + 8 + int.from_bytes(data[offset:offset + 8], "little")
            if end > len(data):
                raise ValueError(f"a string ends at byte {end}")
            found.append(data[offset + 8:end])
            offset = end
        return found

    def _build_fields(self, offs, count):
        if self.byte_order != "I":
            raise ModelError("expected a little-endian GGUF file, found a big-endian one")
        return super()._build_fields(offs, _limited("metadata entries", count))

    def _build_tensor_info(self, offs, count):
        return super()._build_tensor_info(offs, _limited("tensors", count))

    def _build_tensors(self, start_offs, fields):
        self.listed = []
        for field in fields:
            _, name, _, dims, number, offset = field.parts
            shape = tuple(reversed(dims.tolist()))
            self.listed.append(_Listed(str(bytes(name), "utf-8"), int(number[0]), shape, int(offset[0])))
        if len({tensor.name for tensor in self.listed}) < len(self.listed):
            raise ValueError("two tensors have one name")


def _limited(what: str, count) -> int:
    if count > _LIMITS[what]:
        raise ValueError(f"expected at most {_LIMITS[what]} {what}, found {count}")
    return int(count)
