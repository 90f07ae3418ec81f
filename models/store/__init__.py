"""Other people's checkpoints as they are named, each converted once into the cache and kept there."""
