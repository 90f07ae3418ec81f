"""Every entry of a file's metadata with a value of every type: the model that it says, or one line that names it."""

import struct
from itertools import islice

import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.constants import GGUFValueType as Type

from models.errors import TritloomError
from models.formats import read_checkpoint
from models.formats.gguf_config import _NEUTRAL
from tests.models.formats.folders import masters
from tests.models.formats.gguf_files import fields_of, tensors_of, write_gguf
from tests.models.small import SMALL

TEXT = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [f"<{n}>" for n in range(9)] + ["a", "b", "ab"], "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.token_type": [3] * 9 + [1] * 3, "tokenizer.ggml.scores": [0.0] * 12,
        "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": True, "tokenizer.ggml.remove_extra_whitespaces": False,
        "tokenizer.ggml.precompiled_charsmap": [0, 1], "tokenizer.ggml.eom_token_id": 3,
        "tokenizer.ggml.padding_token_id": 4, "tokenizer.ggml.unknown_token_id": 5}
FIELDS = fields_of(SMALL, "bitnet") | {
    "general.basename": "made", "general.alignment": 32, "general.file_type": 36, "general.quantized_by": "me",
    "general.quantization_version": 2, "split.count": 0, "bitnet.hidden_activation": "relu2",
    "bitnet.attention.key_length": SMALL.head_dim, "bitnet.attention.value_length": SMALL.head_dim}
NAMES = sorted({*FIELDS, *TEXT, "tokenizer.chat_template", *(f"bitnet.{name}" for name in _NEUTRAL)})

NUMBERS = {Type.UINT8: "B", Type.INT8: "b", Type.UINT16: "H", Type.INT16: "h", Type.UINT32: "I", Type.INT32: "i",
           Type.UINT64: "Q", Type.INT64: "q", Type.FLOAT32: "f", Type.FLOAT64: "d", Type.BOOL: "?"}


def string(text):
    return struct.pack("<Q", len(text)) + text


def array(kind, items):
    return Type.ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items)


def values():
    """(number of the type, bytes) of values of every type: small, large, odd; and arrays of every type."""
    for kind, code in NUMBERS.items():
        size = 8 * struct.calcsize(code)
        numbers = {"f": [1.5, float("nan"), 1e38], "d": [1.5, float("inf"), 1e308], "?": [False, True]}.get(
            code, [0, 2**size - 1] if code.isupper() else [-1, 2**(size - 1) - 1])
        packed = [struct.pack(f"<{code}", number) for number in numbers]
        yield from ((kind, data) for data in packed)
        yield from (array(kind, items) for items in ([], packed * 6))
    yield from ((Type.STRING, string(text)) for text in (b"", b"\x1b[31m\n", b"y" * 5000))
    yield from (array(Type.STRING, items) for items in ([], [string(b"x")], [string(b"a b")] * 12))


@pytest.mark.parametrize(("name", "step"), [
    case for name in NAMES for case in ((name, 3), pytest.param(name, 1, marks=pytest.mark.slow))])
def test_an_entry_of_any_type_is_taken_or_named(tmp_path, monkeypatch, name, step):
    """Of every `step`-th type, from another one for each name."""
    monkeypatch.setattr("models.vocabulary.gguf.check_tokenizer", lambda *_: None)  # a process each time
    path, tensors = tmp_path / "made.gguf", tensors_of(masters(SMALL), SMALL, Kind.F32)
    fields, refused = FIELDS | (TEXT if name.startswith("tokenizer.") else {}), 0
    for kind, data in islice(values(), NAMES.index(name) % step, None, step):
        write_gguf(path, fields | {name: (int(kind), data)}, tensors)
        try:
            assert len(list(read_checkpoint(path).layers)) == SMALL.layers
        except TritloomError as error:
            line, refused = str(error), refused + 1
            assert line.isprintable() and line.startswith(f"{path}: ") and line.count(str(path)) == 1, line
            named = f"{name}: ", "bitnet.", "config: ", "tensor ", "alignment", "merges: "
            assert any(word in line for word in named), line
    assert refused or name.startswith(("general.", "tokenizer."))  # not all of these say how a model runs
