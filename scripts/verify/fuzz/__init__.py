"""Fuzzers: files of every kind that a stranger may give, damaged with knowledge of their structure, and what comes of
running the commands on them."""
