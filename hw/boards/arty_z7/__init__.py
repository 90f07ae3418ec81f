"""Digilent's Arty Z7-20: a Zynq-7020 with 512 MiB of DDR3."""
