"""Place and route with open tools: nextpnr's run of a netlist, its timing by path and unit, and the bitstream."""
