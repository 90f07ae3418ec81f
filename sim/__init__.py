"""Simulation of the generated Verilog: a runner of cocotb benches, the Verilated core behind an AXI memory model."""

from tritloom.start import prepare

prepare()
