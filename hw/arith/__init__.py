"""Integer arithmetic that every engine shares: rounding shifts, scalar floats."""
