"""Norms in front of linear layers."""
