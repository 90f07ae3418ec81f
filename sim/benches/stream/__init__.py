"""Benches of what every engine uses."""
