"""Attention heads one by one: what each looks at, what it copies, and what the model loses without it."""
