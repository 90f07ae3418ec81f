"""AMD's Kria KV260: a K26 module with 4 GiB of DDR4."""
