"""The accelerator, in Amaranth: one unit a file."""
