"""The terminal chat: what is typed, what is shown, what is commanded."""
