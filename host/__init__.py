"""The runtime: program compiler, devices, CPU pipeline, command line. Needs light wheels only."""
