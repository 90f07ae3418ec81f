"""Quantisation-aware training of a small BitNet b1.58 model, in PyTorch."""
