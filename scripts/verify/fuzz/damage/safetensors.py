"""Safetensors files put together from parts, and damaged: headers that lie, other types and shapes, strange numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np

from scripts.verify.fuzz.damage.json_values import damage_json, json_bytes, strange_value
from scripts.verify.fuzz.damage.raw import NUMBERS, damage_bytes, damage_text

__all__ = ["Tensor", "TensorFile", "damage_tensors", "parse_tensors", "tensor_of"]

_SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
          "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}
_TYPES = (*_SIZES, "F4", "F8_E8M0", "C64", "XX", "", "f32")
_NAMES = {"float32": "F32", "float16": "F16", "uint8": "U8", "int8": "I8", "int16": "I16", "uint32": "U32"}


@dataclass(frozen=True)
class Tensor:
    """One tensor: its type by the format's name, shape and bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass
class TensorFile:
    """A file as its parts; `to_bytes` lays them out one after the other."""

    tensors: dict[str, Tensor]
    metadata: Mapping[str, object] | None = field(default_factory=lambda: {"format": "pt"})

    def header(self) -> dict[str, object]:
        """The JSON header."""
        header: dict[str, object] = {} if self.metadata is None else {"__metadata__": dict(self.metadata)}
        end = 0
        for name, tensor in self.tensors.items():
            start, end = end, end + len(tensor.data)
            header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
        return header

    def to_bytes(self, header: bytes | None = None) -> bytes:
        """The file, with another header where one is given."""
        text = json_bytes(self.header()) if header is None else header
        return len(text).to_bytes(8, "little") + text + b"".join(tensor.data for tensor in self.tensors.values())


def tensor_of(array: np.ndarray) -> Tensor:
    """A tensor that holds an array."""
    return Tensor(_NAMES[array.dtype.name], array.shape, np.ascontiguousarray(array).tobytes())


def parse_tensors(data: bytes) -> TensorFile:
    """The parts of a whole file."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", None)
    if metadata is not None:  # the library writes it in an order of chance
        metadata = dict(sorted(metadata.items()))
    return TensorFile({name: Tensor(item["dtype"], tuple(item["shape"]),
                                    data[start + item["data_offsets"][0]:start + item["data_offsets"][1]])
                       for name, item in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"])}, metadata)


def damage_tensors(file: TensorFile, rng: Random) -> bytes:
    """One variant of a file."""
    draw = rng.random()
    if draw < 0.15:
        return damage_bytes(file.to_bytes(), rng, header=8 + len(json_bytes(file.header())))
    if draw < 0.3:
        return file.to_bytes(damage_json(file.header(), rng))
    if draw < 0.45:
        return file.to_bytes(_lying_header(file, rng))
    if draw < 0.5:
        data = file.to_bytes()
        return (rng.choice(NUMBERS) % 2**64).to_bytes(8, "little") + data[8:]
    tensors = dict(file.tensors)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _damage_whole(tensors, rng)
    metadata = file.metadata
    if rng.random() < 0.2:
        known = dict(metadata or {})
        name = rng.choice([*known, "x"])
        metadata = rng.choice((None, {}, known | {name: damage_text(str(known.get(name, "x")), rng)}))
    return TensorFile(tensors, metadata).to_bytes()


def _lying_header(file: TensorFile, rng: Random) -> bytes:
    """A header of the right form whose numbers are not those of the data."""
    header = file.header()
    name = rng.choice([*file.tensors])
    entry = header[name]
    match rng.randrange(5):
        case 0:
            entry["dtype"] = rng.choice(_TYPES)
        case 1:
            entry["shape"] = rng.choice(([], [0], entry["shape"][::-1], entry["shape"] * 2, [*entry["shape"], 1],
                                         [rng.choice(NUMBERS)], [2**32, 2**32], [1] * 100))
        case 2:
            entry["data_offsets"][rng.randrange(2)] = rng.choice((*NUMBERS, entry["data_offsets"][0] + 1))
        case 3:
            entry["data_offsets"] = header[rng.choice([*file.tensors])]["data_offsets"]
        case 4:
            entry[rng.choice(("dtype", "shape", "data_offsets", "more"))] = strange_value(rng)
    return json_bytes(header)


def _damage_whole(tensors: dict[str, Tensor], rng: Random) -> None:
    """A change after which the file is a whole one, of other contents."""
    if not tensors:
        return
    name = rng.choice([*tensors])
    tensor = tensors[name]
    match rng.randrange(12):
        case 0:
            del tensors[name]
        case 1:
            tensors[damage_text(name, rng)] = tensors.pop(name)
        case 2:
            tensors[rng.choice((name + "2", "x", rng.choice([*tensors])))] = tensor
        case 3:  # the same shape in another type
            dtype = rng.choice([*_SIZES])
            count = math.prod(tensor.shape)
            tensors[name] = Tensor(dtype, tensor.shape, (tensor.data * 8)[:count * _SIZES[dtype]])
        case 4:  # the same data in another shape
            count = math.prod(tensor.shape)
            shapes = [(count,), (1, count), (count, 1), tensor.shape[::-1], (*tensor.shape, 1), (1,) * 40 + (count,)]
            tensors[name] = replace(tensor, shape=rng.choice(shapes))
        case 5:  # one of another size
            shape = rng.choice(((), (0,), (1,), (3,), (0, 5), tuple(2 * size for size in tensor.shape)))
            size = math.prod(shape) * _SIZES.get(tensor.dtype, 1)
            tensors[name] = Tensor(tensor.dtype, shape, (tensor.data * (1 + size // max(1, len(tensor.data))))[:size])
        case _:
            tensors[name] = replace(tensor, data=_strange_numbers(tensor, rng))


def _strange_numbers(tensor: Tensor, rng: Random) -> bytes:
    """Bytes of the same length: infinities, NaN, denormal, largest, zeros, noise; all of them or a few."""
    patterns = {"F32": ("0000807f", "0000c07f", "01000000", "ffff7f7f", "00000080", "000080ff"),
                "F16": ("007c", "007e", "0100", "ff7b", "0080"), "BF16": ("807f", "c07f", "0100", "7f7f", "0080")}
    unit = _SIZES.get(tensor.dtype, 1)
    pattern = bytes.fromhex(rng.choice(patterns.get(tensor.dtype, ("00", "ff", "80", "7f", "01")))) * 8
    pattern = rng.choice((pattern[:max(unit, 1)], bytes(unit), rng.randbytes(unit)))
    if rng.random() < 0.5 or not tensor.data:
        return (pattern * (len(tensor.data) // len(pattern) + 1))[:len(tensor.data)]
    data = bytearray(tensor.data)
    for _ in range(rng.choice((1, 1, 8))):
        at = rng.randrange(max(1, len(data) // unit)) * unit
        data[at:at + unit] = pattern[:len(data[at:at + unit])]
    return bytes(data)
