import struct

import gguf
import numpy as np
import pytest

from models.errors import ModelError
from models.formats.gguf_file import GgufFile, type_name
from tests.models.formats.gguf_files import write_gguf

FIELDS = {"general.architecture": "bitnet", "a.count": 7, "a.flag": True, "a.eps": 0.5,
          "tokenizer.ggml.tokens": ["<s>", "", "ä\n"], "tokenizer.ggml.scores": [0.5, -1.0]}
TENSORS = {"one": (0, (3,), np.arange(3, dtype="<f4").tobytes()), "two": (24, (2, 5), bytes(range(10))),
           "three": (36, (2, 64), bytes(64))}


def test_fields_and_tensors(tmp_path):
    file = GgufFile(write_gguf(tmp_path / "x.gguf", FIELDS, TENSORS))
    assert {name: value for name, value in file.fields.items() if not name.startswith("GGUF.")} == FIELDS
    assert list(file) == list(TENSORS)
    for name, (number, shape, data) in TENSORS.items():
        assert file[name].type == number and file[name].shape == shape
        assert file.stored(name).tobytes() == data
        assert not file.stored(name).flags.writeable


def test_the_library_writes_what_is_read(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_token_list(["a", "b"])
    writer.add_add_bos_token(False)
    writer.add_array("llama.empty", [])
    writer.add_custom_alignment(64)
    writer.add_tensor("w", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("v", np.arange(4, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = GgufFile(tmp_path / "x.gguf")
    assert file.fields["tokenizer.ggml.tokens"] == ["a", "b"]
    assert file.fields["tokenizer.ggml.add_bos_token"] is False
    assert file["w"].shape == (2, 3) and file["v"].start % 64 == 0
    assert file.stored("v").view("<f2").tolist() == [0, 1, 2, 3]


def test_a_file_cut_short_is_refused_at_every_length(tmp_path):
    data = write_gguf(tmp_path / "x.gguf", FIELDS, TENSORS).read_bytes()
    for length in range(len(data)):
        (tmp_path / "y.gguf").write_bytes(data[:length])
        with pytest.raises(ModelError, match="y.gguf: "):
            GgufFile(tmp_path / "y.gguf")


def header(*, version=3, tensors=0, fields=0, rest=b""):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + rest


def text(value):
    return struct.pack("<Q", len(value)) + value


HUGE = 2**60


@pytest.mark.parametrize(("data", "message"), [
    (b"GGML" + bytes(100), "GGUF magic invalid"),
    (header(version=9) + bytes(100), "version 9"),
    (header(fields=HUGE) + bytes(100), "at most 65536 metadata entries"),
    (header(tensors=HUGE) + bytes(100), "at most 65536 tensors"),
    (header(fields=1, rest=struct.pack("<Q", HUGE)) + bytes(100), "at most 16777216 bytes in a string"),
    (header(fields=1, rest=text(b"k") + struct.pack("<IIQ", 9, 8, HUGE)) + bytes(100), "at most 4194304 strings in"),
    (header(fields=1, rest=text(b"k") + struct.pack("<IIQ", 9, 0, HUGE)) + bytes(100), "ends at byte"),
    (header(fields=1, rest=text(b"k") + struct.pack("<IIQ", 9, 9, 1)) + bytes(100), "an array of arrays"),
    (header(fields=1, rest=text(b"k") + struct.pack("<I", 99)) + bytes(100), "99\\)? is not a valid"),
    (header(fields=1, rest=text(b"\xff\xfe") + struct.pack("<IB", 0, 1)) + bytes(100), "codec can't decode"),
    (header(fields=1, rest=text(b"k") + struct.pack("<I", 8) + text(b"\xff")) + bytes(100), "codec can't decode"),
    (header(fields=2, rest=2 * (text(b"k") + struct.pack("<IB", 0, 1))) + bytes(100), "Duplicate k"),
])
def test_a_damaged_header_is_named(tmp_path, data, message):
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(ModelError, match=f"x.gguf: expected a whole GGUF file, found {len(data)} bytes .*{message}"):
        GgufFile(tmp_path / "x.gguf")


def test_a_big_endian_file_is_named(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(100))
    with pytest.raises(ModelError, match="x.gguf: expected a little-endian GGUF file, found a big-endian one$"):
        GgufFile(tmp_path / "x.gguf")


def entry(name, dims, number, offset):
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, number, offset)


@pytest.mark.parametrize(("entries", "message"), [
    ([entry(b"w", (), 0, 0)], r"tensor w: expected 1 to 4 dimensions above zero, found \[\]"),
    ([entry(b"w", (3, 0), 0, 0)], r"tensor w: expected 1 to 4 dimensions above zero, found \[0, 3\]"),
    ([entry(b"w", (1, 1, 1, 1, 1), 0, 0)], "tensor w: expected 1 to 4 dimensions"),
    ([entry(b"w", (100, 3), 35, 0)], r"tensor w: expected whole blocks of a known type, found \[3, 100\] of TQ2_0"),
    ([entry(b"w", (100, 3), 99, 0)], r"tensor w: expected whole blocks of a known type, found \[3, 100\] of type 99"),
    ([entry(b"w", (4,), 0, 32)], "tensor w: expected its data at byte .*, after the tensor before it, found"),
    ([entry(b"w", (4,), 0, 0), entry(b"v", (4,), 0, 0)], "tensor v: expected its data at byte .*found"),
    ([entry(b"w", (HUGE, 8), 0, 0)], "tensor w: expected data up to byte .*; it is cut short"),
    ([entry(b"w", (4,), 0, 0), entry(b"w", (4,), 0, 32)], "two tensors have one name"),
])
def test_tensors_that_cannot_lie_so_are_named(tmp_path, entries, message):
    data = header(tensors=len(entries), rest=b"".join(entries))
    (tmp_path / "x.gguf").write_bytes(data + bytes(-len(data) % 32) + bytes(64))
    with pytest.raises(ModelError, match=f"x.gguf: .*{message}"):
        GgufFile(tmp_path / "x.gguf")


def test_missing_and_empty_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"x.gguf: no such file"):
        GgufFile(tmp_path / "x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"")
    with pytest.raises(ModelError, match=r"x.gguf: cannot be read: cannot mmap an empty file"):
        GgufFile(tmp_path / "x.gguf")


def test_types_have_names():
    assert [type_name(n) for n in (0, 35, 36, 38, 99)] == ["F32", "TQ2_0", "I2_S", "TL1", "type 99"]


def ternary_file(path, sizes, *, last=True, number=42):
    """Tensors of 256 rows of 512 weights, in blocks of (weights, bytes) each."""
    tensors = {f"t{n}": (number, (256, 512), bytes(256 * 512 // weights * size))
               for n, (weights, size) in enumerate(sizes)}
    return write_gguf(path, FIELDS, tensors if last else tensors | {"end": (0, (3,), bytes(12))})


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("block", "name"), [((64, 18), "Q2_0"), ((128, 34), "Q2_0 of 128 weights"),
                                             ((256, 42), "STQ1_0 (Sherry)")])
def test_type_42_is_told_by_its_size(tmp_path, block, name, last):
    file = GgufFile(ternary_file(tmp_path / "x.gguf", [block] * 2, last=last))
    assert [type_name(file[f"t{n}"].type) for n in range(2)] == [name] * 2
    assert all(file.stored(f"t{n}").size == 256 * 512 // block[0] * block[1] for n in range(2))


def test_a_type_42_of_two_sizes_or_of_none(tmp_path):
    with pytest.raises(ModelError, match="x.gguf: tensor t1: expected data up to byte|its data at byte|the file's end"):
        GgufFile(ternary_file(tmp_path / "x.gguf", [(64, 18), (128, 34)]))
    with pytest.raises(ModelError, match="expected the file's end at byte|its data at byte"):
        GgufFile(ternary_file(tmp_path / "x.gguf", [(64, 22)]))
    path = write_gguf(tmp_path / "y.gguf", FIELDS, {"t": (42, (1, 256), bytes(72)), "end": (0, (3,), bytes(12))})
    with pytest.raises(ModelError, match="expected sizes by which type 42 has one meaning, found those of Q2_0, Q2_0 "
                                         "of 128 weights"):
        GgufFile(path)


def test_a_file_of_type_42_that_is_cut_short(tmp_path):
    data = ternary_file(tmp_path / "x.gguf", [(128, 34)] * 2).read_bytes()
    (tmp_path / "y.gguf").write_bytes(data[:-40])
    with pytest.raises(ModelError, match="y.gguf: tensor t1: expected data up to byte .* it is cut short"):
        GgufFile(tmp_path / "y.gguf")


@pytest.mark.parametrize(("number", "block"), [(142, (128, 34)), (143, (128, 28)), (43, (256, 42))])
def test_types_of_one_size(tmp_path, number, block):
    file = GgufFile(ternary_file(tmp_path / "x.gguf", [block], number=number))
    assert file["t0"].type == number
