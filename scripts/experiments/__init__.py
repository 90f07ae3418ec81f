"""What methods and short cuts do to text, and what they cost: sparsity, drafts, shortlists, stops, steering."""
