"""Benches of `hw.linear`."""
