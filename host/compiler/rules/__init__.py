"""What the fields of each operation may be, from docs/program.md, and what memory it touches."""
