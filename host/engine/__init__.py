"""Requests that share the passes of one session: what goes into the next pass, and what each has become."""
