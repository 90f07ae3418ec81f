"""What the machine and its programmer share: build parameters, registers, descriptors, stream layouts.

Plain data and arithmetic, imported by the program compiler (`host`) and by the hardware (`hw`), so
that each format is written down once.
"""
