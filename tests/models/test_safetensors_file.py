import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import ModelError
from models.safetensors_file import PADDING, SafetensorsFile, write_safetensors

ARRAYS = {"a": np.arange(7, dtype=np.uint8), "b": np.array([[1.5, -2.0]], np.float32), "c": np.array(3, np.uint32),
          "d": np.arange(-3, 3, dtype=np.int16).reshape(2, 3), "e": np.array([0.5, np.inf], np.float16)}


def raw(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_what_is_written_is_read_here_and_by_the_reference(tmp_path):
    write_safetensors(tmp_path / "x", ARRAYS)
    file = SafetensorsFile(tmp_path / "x")
    assert {name for name in file if not name.startswith(PADDING)} == set(ARRAYS)
    reference = load_file(tmp_path / "x")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(file.stored(name), array, strict=True)
        np.testing.assert_array_equal(reference[name], array, strict=True)
        assert file[name].start % 64 == 0


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
    write_safetensors(tmp_path / "y", ARRAYS)
    np.testing.assert_array_equal(SafetensorsFile(tmp_path / "y").float32("e"), np.array([0.5, np.inf], np.float32))
    with pytest.raises(ModelError, match="tensor a: expected one of F16, BF16, F32, F64, found U8"):
        SafetensorsFile(tmp_path / "y").float32("a")


@pytest.mark.parametrize(("header", "message"), [
    (b"{", "its safetensors header is damaged"),
    (b"[1]", "its safetensors header is damaged"),
    ({"w": {"dtype": "F32", "shape": [1]}}, "its safetensors header is damaged"),
    ({"w": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
     "tensor w: expected one of U8, .*found F8_E4M3"),
    ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
     r"tensor w: expected 8 bytes for F32 \[2\], found 4"),
    ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
     "tensor w: expected data up to byte .*found a file of .* bytes; it is cut short"),
])
def test_a_damaged_header_is_named(tmp_path, header, message):
    with pytest.raises(ModelError, match=f"{tmp_path / 'x'}: {message}"):
        SafetensorsFile(raw(tmp_path / "x", header, b"\0\0\0\0"))


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    write_safetensors(tmp_path / "x", ARRAYS)
    data = (tmp_path / "x").read_bytes()
    for length in range(len(data)):
        (tmp_path / "y").write_bytes(data[:length])
        with pytest.raises(ModelError):
            SafetensorsFile(tmp_path / "y")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="missing.safetensors: no such file"):
        SafetensorsFile(tmp_path / "missing.safetensors")
