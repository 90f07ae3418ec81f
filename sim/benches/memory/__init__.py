"""Benches of the memory system."""
