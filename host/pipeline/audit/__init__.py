"""Audits: tools that choose a direction, or tell a real one from an illusion. One question a file."""
