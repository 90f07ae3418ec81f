"""The golden model: docs/numerics.md in NumPy, one function per hardware unit.

Written for reading and for exactness, not for speed; emulator and RTL equal it bit for bit.
"""
