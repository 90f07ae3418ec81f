"""A board with PYNQ: its bitstream, its device, its sensors."""
