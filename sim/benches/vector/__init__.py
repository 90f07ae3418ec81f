"""Benches of the vector engine and its units."""
