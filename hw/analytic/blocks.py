"""Memories in blocks and LUTs of a Xilinx device, from width and depth as Yosys and Vivado map them."""

from __future__ import annotations

from dataclasses import replace

from hw.boards.device import NONE, Resources
from hw.boards.technology import Technology

__all__ = ["block_memory", "bram36_blocks", "lutram", "uram_blocks"]

_URAM_SHAPE = (72, 4096)
_BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048))  # one port reads, one writes
_BRAM36_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096))


def uram_blocks(width: int, depth: int) -> int:
    """URAM288 of a memory with one port for reading and one for writing, with enables for bytes of eight or not."""
    bits, words = _URAM_SHAPE
    return -(-width // bits) * -(-depth // words)


def bram36_blocks(width: int, depth: int, *, reads: int = 1) -> float:
    """RAMB36 of such a memory; RAMB18 is half of one. With two ports that read their widest shapes are not there."""
    halves = [-(-width // bits) * -(-depth // words) for bits, words in _BRAM18_SHAPES[reads - 1:]]
    wholes = [2 * -(-width // bits) * -(-depth // words) for bits, words in _BRAM36_SHAPES[reads - 1:]]
    return min(halves + wholes) / 2


def block_memory(width: int, depth: int, *, ultra: bool, reads: int = 1) -> Resources:
    """A memory in UltraRAM or in block RAM. reads: ports that read, of which one may write too."""
    if ultra:
        return replace(NONE, uram=uram_blocks(width, depth))
    return replace(NONE, bram36=bram36_blocks(width, depth, reads=reads))


def lutram(width: int, depth: int, reads: int, technology: Technology) -> int:
    """LUTs of distributed RAM with one write port: a copy for each read port, in the shallowest shape that is deep
    enough, or several of the deepest.
    """
    shapes = technology.lut_ram
    words, bits, luts = next((shape for shape in shapes if depth <= shape[0]), shapes[-1])
    return reads * -(-width // bits) * -(-depth // words) * luts
