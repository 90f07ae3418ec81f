"""A model of an SDR SDRAM chip, written from the datasheets' side, and a bench that holds a controller against it."""
