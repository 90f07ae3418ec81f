"""Benches of the arithmetic primitives, and the table bench that other units share."""
