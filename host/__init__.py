"""The runtime: program compiler, devices, CPU pipeline, command line. Needs light wheels only."""

from tritloom.start import prepare

prepare()
