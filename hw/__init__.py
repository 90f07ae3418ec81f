"""The accelerator, in Amaranth: one unit a file."""

from tritloom.start import prepare

prepare()
