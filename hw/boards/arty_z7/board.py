"""The Arty Z7-20's data. Simulated and rehearsed; no Vivado and no board has met it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hw.boards.attachment import Processor
from hw.boards.board import Board, Ports, Share
from hw.boards.device import Device, Resources
from hw.boards.memory_rate import MemoryRate
from hw.boards.technology import SERIES_7
from hw.boards.vivado import VIVADO_SCRIPTS
from models.machine.build import BuildParameters

__all__ = ["BOARD"]

BOARD = Board(
    name="arty_z7",
    folder=Path(__file__).parent,
    device=Device("XC7Z020", "xc7z020clg400-1",  # DS190; half of the products of query and key find no block
                  replace(SERIES_7, fabric_bits=8, block_chains=1),
                  Resources(lut=53_200, lutram=17_400, ff=106_400, dsp=220, bram36=140, uram=0)),
    ports=Ports(4, 64, "AXI3", address_bits=32),  # S_AXI_HP0 to HP3
    # a port of 64 bits takes half a beat a cycle; 16 bits of DDR3-1050 are 2.1 GB/s at most, of which nine tenths are
    # assumed
    memory=MemoryRate("simple", port_rate=0.5, limit_gb_s=1.9, latency_ns=200),
    # the build's other units have 36,084 LUTs and 21.5 RAMB36 (docs/measurements.md): with these, nine tenths of the
    # LUTs are taken at most, and 85 % of the RAMB36
    share=Share(lut=0.22, uram=0, bram36=0.69),
    attachment=Processor(shared_files=VIVADO_SCRIPTS),
    build=BuildParameters(
        name="arty_z7", clock_mhz=100, ports=1, rows=1, outputs_per_step=4, weight_buffer_steps=512,
        accumulator_words=1024, hidden_max=512, inputs_max=1536, heads_max=8, group_max=8, head_dim_max=64,
        context_max=512, attention_pairs=2),
)
