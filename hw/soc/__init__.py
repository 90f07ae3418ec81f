"""A whole system in one chip: the core, the serial link and the SDRAM controller, for boards without a processor."""
