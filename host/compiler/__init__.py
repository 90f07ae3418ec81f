"""From a model and a build to a program: a DRAM image and descriptors. docs/program.md."""
