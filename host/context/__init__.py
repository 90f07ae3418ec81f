"""Texts longer than the cache: which rows of keys and values stay, and what that costs."""
