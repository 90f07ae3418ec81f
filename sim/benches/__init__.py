"""Cocotb benches, one module a unit, each run by a test through `sim.runner`."""
