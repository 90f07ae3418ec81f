"""The head: int8 vocabulary rows times 16-bit activations, integer logits, and the largest of them."""
