"""Benches of `hw.head`."""
