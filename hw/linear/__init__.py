"""The ternary matrix product by table look-up: from weight beats and int8 activations to 24-bit sums."""
