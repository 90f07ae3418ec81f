"""A simulated board that PYNQ finds, with the files of its build."""

from __future__ import annotations

import json
from pathlib import Path

import pynq
import pytest

from host.bitstream import BITSTREAM_VARIABLE
from hw.boards.registry import BUILDS
from models.config import ModelConfig
from models.machine.build import BuildParameters
from tests.host.board.simulated_board import SimulatedBoard, hardware_description

__all__ = ["BUILD", "HASH", "TINY", "WORD", "describe", "put_files", "use"]

BUILD = BUILDS["sim-tiny"]
HASH = "c0ffee42" + "0" * 56
WORD = int(HASH[:8], 16)
TINY = ModelConfig(name="tiny", vocab_size=61, hidden_size=48, ffn_size=96, layers=2, heads=2, kv_heads=1, head_dim=32,
                   activation="relu2", sub_norms=True, tied_head=False, rope_theta=10000.0, rms_eps=1e-5, context=32)


def put_files(folder: Path, monkeypatch: pytest.MonkeyPatch, build: BuildParameters = BUILD) -> Path:
    """Bitstream, hardware description and accel.json of a build, named in the environment."""
    (folder / "tritloom.bit").write_bytes(b"the simulated board looks at no bitstream")
    (folder / "tritloom.hwh").write_text(hardware_description(build.clock_mhz))
    describe(folder, parameters=build.to_json())
    monkeypatch.setenv(BITSTREAM_VARIABLE, str(folder / "tritloom.bit"))
    return folder


def describe(folder: Path, **changes: object) -> None:
    """Write accel.json, of sim-tiny but for the changes."""
    content = {"hash": HASH, "clock_mhz": BUILD.clock_mhz, "parameters": BUILD.to_json(), "registers": {}} | changes
    (folder / "accel.json").write_text(json.dumps(content))


def use(board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch) -> SimulatedBoard:
    """The board that PYNQ finds from now on."""
    monkeypatch.setattr(pynq.Device, "_active_device", board, raising=False)
    monkeypatch.delattr(pynq.Clocks, "_real_instance", raising=False)
    monkeypatch.setattr(pynq.Clocks, "device", None, raising=False)  # 4.0 asks the device what it is, 3.0.1 the process
    monkeypatch.setattr(pynq.ps, "CPU_ARCH", pynq.ps.ZU_ARCH)
    return board
