"""The ULX3S's data, with an LFE5U-85F and 32 MB of SDRAM."""

from __future__ import annotations

from pathlib import Path

from hw.boards.attachment import SerialLine
from hw.boards.board import Board, Ports, Share
from hw.boards.device import Device, Resources
from hw.boards.memory_rate import MemoryRate
from hw.boards.technology import ECP5
from hw.boards.ulx3s.floorplan import FLOORPLAN
from hw.boards.ulx3s.top import SDRAM_PAD_NS, SDRAM_PHASE, top
from hw.sdram.timing import ULX3S_CHIPS
from models.machine.build import BuildParameters

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s",
    folder=Path(__file__).parent,
    device=Device("LFE5U-85F", "LFE5U-85F-6BG381C", ECP5,  # FPGA-DS-02012; half of the slices can be memory, with the
                  # slice beside them for the write port
                  Resources(lut=83_640, lutram=62_730, ff=83_640, dsp=156, bram36=104, uram=0)),
    ports=Ports(1, 128, "AXI4", address_bits=32),
    # 16 bits a cycle at the core's clock, an eighth of a beat; a long read fills 97.6 % of that (docs/sdram.md)
    memory=MemoryRate("simple", port_rate=0.122, limit_gb_s=None, latency_cycles=24),
    attachment=SerialLine(
        baud=3_000_000,  # what an FT231X gives at most
        oscillator_mhz=25,
        sdram=ULX3S_CHIPS,
        memory_phase=SDRAM_PHASE,
        memory_ns=SDRAM_PAD_NS,
        constraints="ulx3s.lpf",
        top=top,
        loader="ulx3s",
        floorplan=FLOORPLAN),
    # the build's other units have 29,800 LUTs and 22 pairs of DP16KD (docs/ulx3s.md); 85 % are taken at most
    share=Share(lut=0.49, uram=0, bram36=0.64),
    build=BuildParameters(
        name="ulx3s", clock_mhz=60, ports=1, rows=1, outputs_per_step=4, weight_buffer_steps=512,
        accumulator_words=512, hidden_max=256, inputs_max=768, heads_max=4, group_max=4, head_dim_max=64,
        context_max=512, attention_pairs=1, query_word=4, lanes=1, command_beats=4),
)
