"""The emulator against other software and against its own limits: speed, memory, batches, conversions."""
