"""Damage of each file format, by its structure."""
