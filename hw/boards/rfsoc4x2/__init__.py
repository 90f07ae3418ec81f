"""RealDigital's RFSoC 4x2: a ZU48DR with 4 GiB of DDR4 at the processor."""
