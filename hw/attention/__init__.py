"""Attention: keys and values streamed once for pairs of head and row, scores on chip, exact maximum."""
