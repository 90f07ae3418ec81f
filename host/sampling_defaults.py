"""Sampling as a model's makers would have it, where the user asks for nothing else."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.checkpoint import load_generation

__all__ = ["Asked", "take_defaults"]

_ASKED = "asked_for"


class Asked(argparse.Action):
    """An option with one value that remembers that the user gave it."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object,
                 option_string: str | None = None) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, _ASKED, getattr(namespace, _ASKED, frozenset()) | {self.dest})


def take_defaults(options: argparse.Namespace, folder: Path) -> None:
    """Put the defaults of the model in a folder (`models.generation`) into options of `Asked` that nobody gave.

    Says on standard error which.
    """
    asked = getattr(options, _ASKED, frozenset())
    taken = {name: value for name, value in load_generation(folder).items()
             if hasattr(options, name) and name not in asked}
    vars(options).update(taken)
    if taken:
        listed = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in taken.items())
        print(f"note: {listed}: the model's own; options override that", file=sys.stderr)
