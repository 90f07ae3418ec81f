"""The vector engine: everything done element by element, from norms to cache writes."""
