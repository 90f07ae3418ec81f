"""A board without a processor as a simulation: the whole chip's Verilog, its SDRAM, and a serial line to a host."""
