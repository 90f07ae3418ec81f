"""Campaigns on a simulated core: faults of memory, resets, interrupts, damaged programs, and whether tokens are right
afterwards."""
