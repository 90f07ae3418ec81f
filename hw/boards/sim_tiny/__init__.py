"""No board: a build small enough to simulate in seconds, of the KV260's technology."""
