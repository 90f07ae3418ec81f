"""Sparse activation: stages that make channels zero."""
