"""What a design costs on the device: a Yosys run, its netlist, resources and levels of logic."""
