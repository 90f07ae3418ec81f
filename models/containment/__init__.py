"""Programs over strangers' files, each in a process of its own with limits on time, memory and what it answers."""

from models.containment.process import Contained, ContainedError, Limits

__all__ = ["Contained", "ContainedError", "Limits"]
