"""What is looked at before a board is trusted: its system, its ports and memory, its units."""
