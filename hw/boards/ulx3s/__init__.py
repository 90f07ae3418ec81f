"""The ULX3S with an ECP5-85F: placed and routed with open tools; no board has met it."""
