"""Simulation of the generated Verilog: cocotb benches, and the Verilated core behind an AXI memory model."""

from tritloom.start import prepare

prepare()
