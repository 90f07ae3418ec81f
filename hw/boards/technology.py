"""What blocks the chips of one family have, and how Yosys maps for them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ECP5", "PLAIN", "SERIES_7", "ULTRASCALE_PLUS", "Dsp", "Technology"]


@dataclass(frozen=True)
class Dsp:
    """A multiply-add block. a_bits, b_bits: of its signed operands; sum_bits: of its sum, or of the fabric's
    where its own adder is not used.

    primitive: its name, "" where products are left to whoever maps them.
    """

    primitive: str
    a_bits: int
    b_bits: int
    sum_bits: int
    pre_adder_bits: int  # of the adder before the multiplier, 0: none


@dataclass(frozen=True, kw_only=True)
class Technology:
    """One family. Units get it as Amaranth's `platform`; None there means `PLAIN`.

    fabric_bits: up to so many of b's, chains of products are made of LUTs, where blocks are short; block_chains: of a
    unit's chains so many are not. ultra_ram: whether there are blocks of 4,096 words of 72 bits. shallow_blocks: are
    memories of few words in block RAM, too, where they are read through a register? slow_wires: do streams that cross
    the chip get registers on their way (`hw.stream.register_slice`), at a cycle's cost? lut_inputs: of the widest LUT.
    lut_factor: how many of them take the logic of one with six inputs, as measured. lut_ram: shapes of distributed RAM
    as (words, bits, LUTs), the shallowest first. synth: Yosys' command and its options for this family, "" where there
    is no flow; its cells are counted by `hw.synthesis.primitives`. wire_delay_ps: of a wire between two LUTs, by which
    ABC9 looks for few levels.
    """

    name: str
    dsp: Dsp
    ultra_ram: bool
    shallow_blocks: bool = False
    slow_wires: bool = False
    lut_inputs: int
    lut_ram: tuple[tuple[int, int, int], ...]
    lut_factor: float = 1.0
    fabric_bits: int = 0
    block_chains: int = 0
    synth: str = ""
    wire_delay_ps: int = 0


ULTRASCALE_PLUS = Technology(
    name="UltraScale+", dsp=Dsp("DSP48E2", a_bits=27, b_bits=18, sum_bits=48, pre_adder_bits=27), ultra_ram=True,
    lut_inputs=6, lut_ram=((32, 14, 8), (64, 7, 8)),  # RAM32M16, RAM64M8
    synth="synth_xilinx -family xcup -uram", wire_delay_ps=2000)

SERIES_7 = Technology(
    name="series 7", dsp=Dsp("DSP48E1", a_bits=25, b_bits=18, sum_bits=48, pre_adder_bits=25), ultra_ram=False,
    lut_inputs=6, lut_ram=((32, 6, 4), (64, 3, 4)),  # RAM32M, RAM64M
    synth="synth_xilinx -family xc7", wire_delay_ps=2000)

ECP5 = Technology(
    name="ECP5", dsp=Dsp("MULT18X18D", a_bits=18, b_bits=18, sum_bits=54, pre_adder_bits=0), ultra_ram=False,
    lut_inputs=4, lut_ram=((16, 4, 6),),  # TRELLIS_DPR16X4: four LUTs, and a pair that holds the write port
    shallow_blocks=True,  # an address of distributed RAM has a load in every LUT: wires, more than LUTs
    slow_wires=True,  # nine tenths of the longest paths are wires
    lut_factor=1.85,  # 13,803 of the ULX3S's linear, control and memory units where the analytic model has 7,459
    synth="synth_ecp5")
"""Of Lattice. Block RAM DP16KD: 1,024 words of 18 bits with two ports, 512 of 36 with one to write and one to read."""

PLAIN = Technology(
    name="plain", dsp=Dsp("", a_bits=25, b_bits=18, sum_bits=48, pre_adder_bits=0), ultra_ram=False, lut_inputs=6,
    lut_ram=((32, 6, 4), (64, 3, 4)))
"""No vendor's blocks: what any tool or simulator understands. Operands no wider than any block's."""
