"""A small model and a modelled board, opened as a process opens it."""

from __future__ import annotations

from host.board.description import Description
from host.link.device import SerialDevice
from hw.boards.registry import BUILDS
from models.config import ModelConfig
from models.machine.build import BuildParameters
from tests.host.link.board_model import BoardModel
from tests.host.link.modelled_line import ModelledLine

__all__ = ["BUILD", "CLOCK_MHZ", "TINY", "WORD", "new_board", "opened"]

BUILD = BUILDS["sim-tiny"]
WORD, CLOCK_MHZ = 0xC0FFEE42, 60.0
TINY = ModelConfig(name="tiny", vocab_size=61, hidden_size=48, ffn_size=96, layers=2, heads=2, kv_heads=1, head_dim=32,
                   activation="relu2", sub_norms=True, tied_head=False, rope_theta=10000.0, rms_eps=1e-5, context=32)


def new_board(build: BuildParameters = BUILD, **options: object) -> BoardModel:
    """A board as behind configuration, its memory full of noise."""
    return BoardModel(build, word=WORD, clock_mhz=CLOCK_MHZ, **{"memory_bytes": 1 << 20, **options})


def opened(board: BoardModel, line: ModelledLine | None = None, build: BuildParameters = BUILD,
           **options: object) -> SerialDevice:
    """A device on a line of its own."""
    return SerialDevice(build, description=Description(WORD, CLOCK_MHZ), transport=line or ModelledLine(board),
                        **options)
