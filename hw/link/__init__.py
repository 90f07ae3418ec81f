"""A serial line for a board without a processor: frames, what requests do, and the masters that do it."""
