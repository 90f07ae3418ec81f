"""The KV260's data."""

from __future__ import annotations

from pathlib import Path

from hw.boards.attachment import Processor
from hw.boards.board import Board, Ports, Share
from hw.boards.device import Device, Resources
from hw.boards.kv260.overlay import overlay
from hw.boards.memory_rate import MemoryRate
from hw.boards.technology import ULTRASCALE_PLUS
from hw.boards.vivado import ZYNQ_ULTRASCALE_SCRIPTS
from models.machine.build import BuildParameters
from models.machine.dram_starts import DramStarts

__all__ = ["BOARD"]

BOARD = Board(
    name="kv260",
    folder=Path(__file__).parent,
    device=Device("XCK26", "xck26-sfvc784-2LV-c", ULTRASCALE_PLUS,  # DS987
                  Resources(lut=117_120, lutram=57_600, ff=234_240, dsp=1_248, bram36=144, uram=64)),
    ports=Ports(4, 128, "AXI4"),  # S_AXI_HP0_FPD to HP3_FPD
    # docs/memory-model.md: a port loses one cycle in 129, the DDR controller gives 15.05 GB/s to a stream over
    # four ports with eight bursts each, request and answer take 225 ns
    memory=MemoryRate("kv260", port_rate=128 / 129, limit_gb_s=15.05, latency_ns=225,
                      quoted_gb_s=(15.2, 12.0)),  # a board's best placement of 512, and a careless one
    attachment=Processor(shared_files=ZYNQ_ULTRASCALE_SCRIPTS, overlay=overlay),
    build=BuildParameters(
        name="kv260", clock_mhz=250, ports=4, rows=8, row_batches=2, outputs_per_step=4, weight_buffer_steps=4096,
        accumulator_words=8192, hidden_max=2560, inputs_max=8192, heads_max=32, group_max=4, head_dim_max=256,
        context_max=4096, attention_max=2560, top_k=64),
    slower_clocks=(214, 187),  # the IOPLL's 1500 MHz over 7 and 8, rounded down; 250 is a sixth, nothing gives 200
    share=Share(lut=0.45, uram=48 / 64, bram36=0.486),  # 48 URAM and 70 RAMB36
    starts=DramStarts(period=64 << 10),  # scripts.experiments.place_streams: each port in a bank of its own
)
