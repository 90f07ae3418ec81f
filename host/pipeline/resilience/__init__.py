"""Resilience: stages that keep the effect of a wrong bit small."""
