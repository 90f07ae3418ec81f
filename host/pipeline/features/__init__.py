"""Dictionaries of features that activations are made of. No stages: methods are fitted with them."""
