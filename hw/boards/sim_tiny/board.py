"""The simulated board's data."""

from __future__ import annotations

from pathlib import Path

from hw.boards.board import Board, Ports
from hw.boards.kv260.board import BOARD as KV260
from hw.boards.memory_rate import SIMPLE_MEMORY
from models.machine.build import BuildParameters

__all__ = ["BOARD"]

BOARD = Board(
    name="sim-tiny",
    folder=Path(__file__).parent,
    simulated=True,
    device=KV260.device,
    ports=Ports(4, 128, "AXI4"),
    memory=SIMPLE_MEMORY,
    build=BuildParameters(
        name="sim-tiny", clock_mhz=250, ports=2, rows=1, outputs_per_step=4, weight_buffer_steps=256,
        accumulator_words=1024, hidden_max=512, inputs_max=1536, heads_max=8, group_max=8, head_dim_max=64,
        context_max=512),
)
