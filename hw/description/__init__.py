"""What a build is, for a reader: its hierarchy, registers, parameters, sites and speed, in a folder of pages."""
