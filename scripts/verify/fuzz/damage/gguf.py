"""GGUF files put together from parts, and damaged: counts, lengths, types and offsets that lie, other values."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random

from scripts.verify.fuzz.damage.raw import NUMBERS, TEXTS, damage_bytes, damage_text

__all__ = ["ARRAY", "BOOL", "FLOAT32", "INT32", "STRING", "UINT32", "Entry", "GgufParts", "GgufTensor", "damage_gguf"]

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_ALIGN = 32
_TYPES = (0, 1, 2, 6, 7, 8, 12, 14, 30, 31, 34, 35, 36, 37, 38, 39, 40, 255, 2**31)  # of tensors

_KEYS = ("general.architecture", "general.name", "general.alignment", "general.file_type", "split.count",
         "{a}.block_count", "{a}.context_length", "{a}.embedding_length", "{a}.feed_forward_length",
         "{a}.attention.head_count", "{a}.attention.head_count_kv", "{a}.attention.key_length",
         "{a}.attention.value_length", "{a}.attention.layer_norm_rms_epsilon", "{a}.rope.freq_base",
         "{a}.rope.dimension_count", "{a}.rope.scaling.type", "{a}.rope.scaling.factor", "{a}.rope.scale_linear",
         "{a}.vocab_size", "{a}.hidden_activation", "{a}.expert_count", "{a}.attention.sliding_window",
         "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.scores",
         "tokenizer.ggml.token_type", "tokenizer.ggml.merges", "tokenizer.ggml.bos_token_id",
         "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
         "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.padding_token_id", "tokenizer.ggml.add_bos_token",
         "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix", "tokenizer.ggml.remove_extra_whitespaces",
         "tokenizer.ggml.precompiled_charsmap", "tokenizer.chat_template", "tokenizer.ggml.eog_token_ids")
"""Entries that readers know; {a} is the architecture."""


@dataclass
class Entry:
    """One entry of the metadata. type: a number of the format; value: of an array (type of its items, items)."""

    key: str
    type: int
    value: object


@dataclass
class GgufTensor:
    """One tensor. shape: innermost dimension first, as the file has it; offset None: after the one before."""

    name: str
    shape: tuple[int, ...]
    type: int
    data: bytes
    offset: int | None = None


@dataclass
class GgufParts:
    """A file as its parts. lies: what to write in place of a count: `magic`, `version`, `tensors`, `entries`,
    `string` and `array` (lengths of the n-th of them, as (n, length))."""

    entries: list[Entry]
    tensors: list[GgufTensor]
    lies: dict[str, object] = field(default_factory=dict)

    def copy(self) -> GgufParts:
        """A copy of which entries and tensors can be changed."""
        return GgufParts([Entry(e.key, e.type, e.value) for e in self.entries],
                         [GgufTensor(t.name, t.shape, t.type, t.data, t.offset) for t in self.tensors], dict(self.lies))

    def to_bytes(self) -> bytes:
        """The file."""
        return _Writer(self).whole()


class _Writer:
    def __init__(self, parts: GgufParts):
        self._parts, self._out, self._strings, self._arrays = parts, bytearray(), 0, 0

    def whole(self) -> bytes:
        parts, lies = self._parts, self._parts.lies
        self._out += lies.get("magic", b"GGUF")
        self._out += struct.pack("<IQQ", lies.get("version", 3), lies.get("tensors", len(parts.tensors)),
                                 lies.get("entries", len(parts.entries)))
        for entry in parts.entries:
            self._string(entry.key)
            self._out += struct.pack("<I", entry.type % 2**32)
            self._value(entry.type, entry.value)
        end = 0
        for tensor in parts.tensors:
            self._string(tensor.name)
            self._out += struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *(s % 2**64 for s in tensor.shape))
            offset = end if tensor.offset is None else tensor.offset
            self._out += struct.pack("<IQ", tensor.type, offset % 2**64)
            end += len(tensor.data) + -len(tensor.data) % _ALIGN
        self._out += bytes(-len(self._out) % _ALIGN)
        for tensor in parts.tensors:
            self._out += tensor.data + bytes(-len(tensor.data) % _ALIGN)
        return bytes(self._out)

    def _string(self, text: object) -> None:
        data = text if isinstance(text, bytes) else str(text).encode(errors="surrogatepass")
        at, length = self._parts.lies.get("string", (-1, 0))
        self._out += struct.pack("<Q", length if at == self._strings else len(data)) + data
        self._strings += 1

    def _value(self, kind: int, value: object) -> None:
        if kind == STRING:
            self._string(value)
        elif kind == ARRAY and isinstance(value, tuple):
            item, items = value
            at, length = self._parts.lies.get("array", (-1, 0))
            self._out += struct.pack("<IQ", item, length if at == self._arrays else len(items))
            self._arrays += 1
            for part in items:
                self._value(item, part)
        elif kind in _FORMATS:
            self._out += _packed(_FORMATS[kind], value)
        else:
            self._out += b"\x01\x00\x00\x00"


def _packed(form: str, value: object) -> bytes:
    """A number in its format, cut to fit; what is no number at all counts as its length."""
    if not isinstance(value, int | float):
        value = len(value) if hasattr(value, "__len__") else 0
    if form in ("<f", "<d"):
        try:
            return struct.pack(form, value)
        except OverflowError:
            return struct.pack(form, float("inf"))
    if form == "<?":
        return bytes([int(value == value and value != 0)])
    size = struct.calcsize(form)
    whole = 0 if value != value or value in (float("inf"), float("-inf")) else int(value)
    return (whole % 256**size).to_bytes(size, "little")


def _typed(rng: Random, depth: int = 0) -> tuple[int, object]:
    """A value of any type."""
    kind = rng.choice((*_FORMATS, STRING, STRING, *([ARRAY, ARRAY] if depth < 2 else [])))
    if kind == STRING:
        return kind, rng.choice((*TEXTS, b"\xff\xfe", b"\xc3"))
    if kind == ARRAY:
        item, first = _typed(rng, depth + 1)
        return kind, (item, [first] * rng.choice((0, 1, 3, 300)))
    if kind in (FLOAT32, 12):
        return kind, rng.choice((0.0, -1.0, 0.5, 1e-45, 3e38, float("nan"), float("inf"), 1e6))
    return kind, rng.choice(NUMBERS)


def damage_gguf(parts: GgufParts, rng: Random) -> bytes:
    """One variant of a file."""
    if rng.random() < 0.12:
        data = parts.to_bytes()
        return damage_bytes(data, rng, header=len(data) - sum(len(tensor.data) for tensor in parts.tensors))
    changed = parts.copy()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice((_damage_entry,) * 7 + (_damage_tensor,) * 4 + (_lie,))(changed, rng)
    data = changed.to_bytes()
    return damage_bytes(data, rng) if rng.random() < 0.05 else data


def _damage_entry(parts: GgufParts, rng: Random) -> None:
    if not parts.entries:
        return
    vocabulary = [entry for entry in parts.entries if entry.key.startswith("tokenizer.")]
    entry = rng.choice(vocabulary if vocabulary and rng.random() < 0.5 else parts.entries)
    architecture = next((e.value for e in parts.entries if e.key == "general.architecture"), "llama")
    match rng.randrange(16):
        case 0:
            parts.entries.remove(entry)
        case 1:
            parts.entries.insert(rng.randrange(len(parts.entries)), Entry(entry.key, entry.type, entry.value))
        case 2:
            entry.key = rng.choice((rng.choice(_KEYS).format(a=architecture), damage_text(entry.key, rng)))
        case 3:
            entry.type = rng.choice((*range(14), 255, 2**31))  # the bytes after it stay almost
        case 4:
            parts.entries.append(Entry(rng.choice(_KEYS).format(a=architecture), *_typed(rng)))
        case 5 | 6 | 7:
            entry.type, entry.value = _typed(rng)
        case _ if entry.type == ARRAY:
            entry.value = _damaged_array(*entry.value, rng)
        case _ if entry.type == STRING:
            entry.value = damage_text(str(entry.value), rng)
        case _:
            near = entry.value + 1, entry.value - 1, entry.value * 2
            entry.value = rng.choice((*near, *near, *near, *NUMBERS, 0.5, float("nan"), float("inf")))


def _damaged_array(item: int, items: list, rng: Random) -> tuple[int, list]:
    items = list(items)
    at = rng.randrange(len(items)) if items else 0
    match rng.randrange(7):
        case 0:
            items = items[:at]
        case 1:
            items = items * 2
        case 2:
            items[at:at + 1] = []
        case 3 if items:
            items[at] = items[rng.randrange(len(items))]
        case 4:
            item = rng.choice((*_FORMATS, STRING))
        case _ if items:
            items[at] = rng.choice(TEXTS if item == STRING else (*NUMBERS, float("nan"), 0.5))
    return item, items


def _damage_tensor(parts: GgufParts, rng: Random) -> None:
    if not parts.tensors:
        return
    tensor = rng.choice(parts.tensors)
    match rng.randrange(16):
        case 0:
            parts.tensors.remove(tensor)
        case 1:
            parts.tensors.append(GgufTensor(tensor.name, tensor.shape, tensor.type, tensor.data))
        case 2:
            tensor.name = rng.choice((damage_text(tensor.name, rng), rng.choice(parts.tensors).name,
                                      tensor.name.replace("weight", "bias"), tensor.name.replace("weight", "scale")))
        case 3:
            tensor.shape = rng.choice(((), (0,), tensor.shape[::-1], (*tensor.shape, 1), tensor.shape * 3,
                                       (rng.choice(NUMBERS),), (2**32, 2**32), tuple(s * 2 for s in tensor.shape)))
        case 4:
            tensor.type = rng.choice(_TYPES)
        case 5:
            tensor.offset = rng.choice((*NUMBERS, _ALIGN, 1))
        case 6:
            tensor.data = tensor.data[:rng.randrange(len(tensor.data) + 1)]
        case 7:
            pattern = rng.choice((bytes(4), b"\xff" * 4, b"\x00\x7c\x00\x7c", rng.randbytes(4)))
            tensor.data = (pattern * (len(tensor.data) // 4 + 1))[:len(tensor.data)]
        case _:
            size = len(tensor.data)
            tensor.data = damage_bytes(tensor.data, rng)[:size].ljust(size, b"\x00")


def _lie(parts: GgufParts, rng: Random) -> None:
    number = rng.choice(NUMBERS) % 2**64
    match rng.randrange(5):
        case 0:
            parts.lies["magic"] = rng.choice((b"GGUF"[::-1], b"GGML", b"\x00" * 4))
        case 1:
            parts.lies["version"] = rng.choice((0, 1, 2, 4, 3 << 24, 2**32 - 1))
        case 2:
            parts.lies[rng.choice(("tensors", "entries"))] = number
        case 3:
            parts.lies["string"] = rng.randrange(2 * len(parts.entries) + len(parts.tensors) + 1), number
        case 4:
            parts.lies["array"] = rng.randrange(4), number
