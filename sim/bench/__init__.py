"""Speed of a real-size design from simulated cycles: `python -m sim.bench`."""
