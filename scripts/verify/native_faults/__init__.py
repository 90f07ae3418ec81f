"""Wrong lines for the emulator's compiled kernels, each with the test that must see it."""
