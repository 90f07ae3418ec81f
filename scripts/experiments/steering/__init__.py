"""Does steering do what it says? Manners of writing, their classifier, and trials of steered text."""
