"""The simulated board that the tests share, and the host's device on it."""

from __future__ import annotations

from host.board.description import Description
from host.link.device import SerialDevice
from hw.boards.registry import BUILDS
from hw.emit import kept_verilog
from models.config import ModelConfig
from sim.soc.transport import SimulatedTransport
from sim.soc.verilated_board import VerilatedBoard

__all__ = ["BUILD", "TINY", "opened"]

BUILD = BUILDS["ulx3s"]
TINY = ModelConfig(name="tiny", vocab_size=33, hidden_size=32, ffn_size=48, layers=1, heads=2, kv_heads=1, head_dim=16,
                   activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5, context=32)
"""A model whose upload takes few bytes: each is 200 cycles of the line."""


def opened(board: VerilatedBoard, **options: object) -> SerialDevice:
    """The device of a process that begins."""
    description = Description(int(kept_verilog(BUILD)[1][:8], 16), BUILD.clock_mhz)
    return SerialDevice(BUILD, description=description, transport=SimulatedTransport(board), **options)
