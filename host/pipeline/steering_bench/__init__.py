"""Steering methods beside each other at equal cost in perplexity, with the controls that expose a false one."""
