"""Memory as an upload leaves it: the host's driver sends nothing more, and its tokens are the emulator's."""

from __future__ import annotations

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.errors import OptionError
from models.synth import synthetic_model
from sim.sdram.chip import BYTES
from sim.soc.filled_memory import filled_memory, read_memory, save_memory
from tests.host.link.opened import BUILD, TINY, new_board, opened


def test_the_host_finds_its_model():
    model = synthetic_model(TINY, seed=3)
    board = new_board(memory_bytes=BYTES)
    board.memory[:] = filled_memory(model, BUILD)
    device = opened(board)
    expected, found = Session(model, EmulatorDevice(BUILD)), Session(model, device)
    assert device.uploaded == 0
    assert found.decode(5).logits.tolist() == expected.decode(5).logits.tolist()
    board.memory[found.program.memory["0.down"]] ^= 1
    again = opened(board)
    Session(model, again)
    assert 0 < again.uploaded <= 16384  # the pages that differ


def test_a_model_that_is_too_large(monkeypatch):
    monkeypatch.setattr("sim.soc.filled_memory.BYTES", 8192)
    with pytest.raises(OptionError, match=r"the model takes 0\.[0-9] MiB, the board's memory has 0"):
        filled_memory(synthetic_model(TINY, seed=3), BUILD)


def test_a_file_keeps_it(tmp_path):
    path = tmp_path / "memory"
    assert not read_memory(path).any()
    memory = np.random.default_rng(1).integers(256, size=BYTES, dtype=np.uint8)
    save_memory(path, memory)
    assert np.array_equal(read_memory(path), memory) and list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"short")
    with pytest.raises(OptionError, match=f"has 5 bytes, the board's memory {BYTES}"):
        read_memory(path)
