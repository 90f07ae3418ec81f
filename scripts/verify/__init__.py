"""What shows that the project does what it says: planted faults, comparisons, trials of whole commands, and fuzzers."""
