"""A controller of our own for SDR SDRAM, behind AXI4 ports."""
