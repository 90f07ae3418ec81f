"""What shows that the project does what it says: trials of whole commands, and fuzzers."""
