"""The bit-exact software twin: runs the accelerator's programs from its memory image."""
