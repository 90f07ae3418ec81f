"""Decode attention: keys and values streamed once, scores on chip, exact maximum, integer softmax."""
