"""Attention: keys and values streamed once for four pairs of head and row, scores on chip, exact maximum."""
