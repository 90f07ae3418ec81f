"""Devices that run programs: one interface, an emulator, a simulation, a board."""
