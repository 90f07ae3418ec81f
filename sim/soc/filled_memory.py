"""A board's memory as the upload of a model leaves it: a simulation would spend 300 million cycles on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from host.compiler.program import Program
from host.link.upload import PAGE, header_of
from models.checkpoint import Model
from models.errors import OptionError
from models.machine.build import BuildParameters
from sim.sdram.chip import BYTES

__all__ = ["filled_memory", "read_memory", "save_memory"]


def filled_memory(model: Model, build: BuildParameters, *, head: str = "exact") -> np.ndarray:
    """What the SDRAM holds once `host.link.device` has put a model there from address 0 on: uint8 [BYTES].

    The host then finds its model by the header's hash, and by CRCs that the board takes, and sends none of it again.
    head: as the host will ask for it (`Session`); with another it sends what differs. `OptionError` where the model
    is too large.
    """
    program = Program(model, build, rows=build.slots, head=head)
    size, header = -(-program.size // PAGE) * PAGE, BYTES - PAGE
    if size > header:
        raise OptionError(f"the model takes {size / 2**20:.1f} MiB, the board's memory has {BYTES / 2**20:.0f}")
    memory = np.zeros(BYTES, np.uint8)
    program.write(memory[:program.size], 0)
    words = np.frombuffer(header_of(memory[:size]), np.uint8)
    memory[header:header + words.size] = words
    return memory


def read_memory(path: Path) -> np.ndarray:
    """What `save_memory` kept, zeros where there is no file yet; `OptionError` for a file of another size."""
    if not path.exists():
        return np.zeros(BYTES, np.uint8)
    memory = np.fromfile(path, np.uint8)
    if memory.size != BYTES:
        raise OptionError(f"{path} has {memory.size} bytes, the board's memory {BYTES}")
    return memory


def save_memory(path: Path, memory: np.ndarray) -> None:
    """Keep what the memory holds, whole or not at all."""
    partial = path.with_name(f".{path.name}.new")
    memory.tofile(partial)
    partial.replace(path)
