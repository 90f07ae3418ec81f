import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import ModelError
from models.safetensors_file import PADDING, SafetensorsFile, SafetensorsWriter

ARRAYS = {"a": np.arange(7, dtype=np.uint8), "b": np.array([[1.5, -2.0]], np.float32), "c": np.array(3, np.uint32),
          "d": np.arange(-3, 3, dtype=np.int16).reshape(2, 3), "e": np.array([0.5, np.inf], np.float16)}


TYPES = {"uint8": "U8", "float32": "F32", "uint32": "U32", "int16": "I16", "float16": "F16"}


def write(path, arrays):
    layout = {name: (TYPES[array.dtype.name], array.shape) for name, array in arrays.items()}
    with SafetensorsWriter(path, layout) as out:
        for name, array in arrays.items():
            out.put(name, array)
    return path


def raw(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_what_is_written_is_read_here_and_by_the_reference(tmp_path):
    write(tmp_path / "x", ARRAYS)
    file = SafetensorsFile(tmp_path / "x")
    assert {name for name in file if not name.startswith(PADDING)} == set(ARRAYS)
    reference = load_file(tmp_path / "x")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(file.stored(name), array, strict=True)
        np.testing.assert_array_equal(reference[name], array, strict=True)
        assert file[name].start % 64 == 0


def test_rows_may_come_in_any_order(tmp_path):
    table = np.arange(35, dtype=np.int16).reshape(7, 5)
    with SafetensorsWriter(tmp_path / "x", {"t": ("I16", (7, 5)), "u": ("U8", (3,))}) as out:
        out.put("t", table[4:], 4)
        out.put("u", np.array([1, 2, 3], np.uint8))
        out.put("t", table[:4])
    np.testing.assert_array_equal(load_file(tmp_path / "x")["t"], table, strict=True)
    np.testing.assert_array_equal(load_file(tmp_path / "x")["u"], [1, 2, 3])


def test_what_is_left_out_or_of_another_kind_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match=r"bytes of tensors not written: \{'t': 10\}"):
        with SafetensorsWriter(tmp_path / "x", {"t": ("I16", (7, 5))}) as out:
            out.put("t", np.zeros((6, 5), np.int16))
    for rows in (np.zeros((7, 5), np.int32), np.zeros((7, 4), np.int16)):
        with pytest.raises(ValueError, match="t: int"):
            with SafetensorsWriter(tmp_path / "x", {"t": ("I16", (7, 5))}) as out:
                out.put("t", rows)


def test_reads_the_reference_writer(tmp_path):
    save_file(ARRAYS, tmp_path / "x", metadata={"format": "np"})
    file = SafetensorsFile(tmp_path / "x")
    assert len(file) == len(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(file.stored(name), array, strict=True)


def test_floats_come_as_float32(tmp_path):
    values = np.array([1.0, -0.15625, 3.0e38, np.nan], np.float32)
    bfloat16 = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    file = SafetensorsFile(raw(tmp_path / "x", {"w": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}},
                               bfloat16))
    expected = (values.view(np.uint32) & 0xFFFF0000).view(np.float32).reshape(2, 2)
    np.testing.assert_array_equal(file.float32("w"), expected, strict=True)
    write(tmp_path / "y", ARRAYS)
    np.testing.assert_array_equal(SafetensorsFile(tmp_path / "y").float32("e"), np.array([0.5, np.inf], np.float32))
    with pytest.raises(ModelError, match="tensor a: expected one of F16, BF16, F32, F64, found U8"):
        SafetensorsFile(tmp_path / "y").float32("a")


DAMAGED = r"expected a whole safetensors file, found \d+ bytes that are damaged or cut short"


@pytest.mark.parametrize(("header", "message"), [
    (b"{", f"{DAMAGED}: .*JSON"),
    (b"[1]", f"{DAMAGED}: .*JSON"),
    ({"w": {"dtype": "F32", "shape": [1]}}, f"{DAMAGED}: .*data_offsets"),
    ({"w": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
     "tensor w: expected one of U8, .*found F8_E4M3"),
    ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, f"{DAMAGED}: .*shape"),
    ({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, f"{DAMAGED}: .*overflow"),
    ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, f"{DAMAGED}: .*not fully covered"),
    ({"w": {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}}, f"{DAMAGED}: .*offset"),
    ({"w": {"dtype": "x" * 9999, "shape": [2], "data_offsets": [2, 4]}}, f"{DAMAGED}: .{{,200}}$"),
])
def test_a_damaged_header_is_named(tmp_path, header, message):
    with pytest.raises(ModelError, match=f"{tmp_path / 'x'}: {message}"):
        SafetensorsFile(raw(tmp_path / "x", header, b"\0\0\0\0"))


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    write(tmp_path / "x", ARRAYS)
    data = (tmp_path / "x").read_bytes()
    for length in range(len(data)):
        (tmp_path / "y").write_bytes(data[:length])
        with pytest.raises(ModelError):
            SafetensorsFile(tmp_path / "y")


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs the kernel's count of mapped pages")
def test_pages_are_given_back_and_come_again(tmp_path):
    ones = np.ones(2**20, np.float32)
    write(tmp_path / "x", {"w": ones})
    file = SafetensorsFile(tmp_path / "x")
    values = file.stored("w")

    def resident():
        section = Path("/proc/self/smaps").read_text().split(str(tmp_path / "x"))[1]
        return int(section.split("Rss:")[1].split()[0]) * 1024

    assert values.sum() == ones.size
    assert resident() > ones.nbytes // 2
    file.release()
    assert resident() < ones.nbytes // 8
    np.testing.assert_array_equal(values, ones)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="missing.safetensors: no such file"):
        SafetensorsFile(tmp_path / "missing.safetensors")
