"""What a file is that is not what was expected, by its first bytes: in words, for an error's line."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GGUF_MAGIC", "JSON", "SAFETENSORS", "file_kind", "first_bytes"]

GGUF_MAGIC = b"GGUF"
JSON, SAFETENSORS = "JSON text", "a safetensors file"

_LOOKED_AT = 64
_KINDS = (
    (GGUF_MAGIC, "a GGUF file"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file: fetch it with git lfs pull"),
    (b"../", "the path that a symbolic link leads to in place of the link"),
    (b"PK\x03\x04", "a PyTorch file or another zip archive: save its tensors as safetensors"),
    (b"\x80\x02", "a Python pickle, perhaps of PyTorch: save its tensors as safetensors"),
    (b"\x80\x03", "a Python pickle: save its tensors as safetensors"),
    (b"\x80\x04", "a Python pickle: save its tensors as safetensors"),
    (b"\x89HDF", "an HDF5 file: save its tensors as safetensors"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"tjgg", "a file of llama.cpp from before GGUF"),
    (b"lmgg", "a file of llama.cpp from before GGUF"),
    (b"fmgg", "a file of llama.cpp from before GGUF"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it"),
    (b"BZh", "a bzip2 archive: unpack it"),
    (b"\xfd7zXZ", "an xz archive: unpack it"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
)


def first_bytes(path: Path) -> bytes:
    """The first few bytes of a regular file; b"" for an empty one, another thing, or one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return b""


def file_kind(path: Path) -> str | None:
    """What a regular file is, in words; None where its first bytes say nothing."""
    start = first_bytes(path)
    if not start:
        return "an empty file"
    for magic, kind in _KINDS:
        if start.startswith(magic):
            return kind
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "an HTML or XML page in place of the file: download it again"
    if text.startswith((b"{", b"[")):
        return JSON
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32:
        return SAFETENSORS
    if not any(start):
        return "a file that begins with zeros, perhaps a download with holes"
    return None
