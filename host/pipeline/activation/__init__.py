"""Activation functions in the place of the fabric's."""
