"""--magic: a control token that the model was trained to obey, put before what it reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.checkpoint import load_control_tokens
from models.errors import OptionError, printable

__all__ = ["add_magic_option", "control_token"]


def add_magic_option(parser: argparse.ArgumentParser) -> None:
    """--magic."""
    parser.add_argument("--magic", metavar="NAME",
                        help="put this control token of the model before the text (models.train.magic makes them)")


def control_token(folder: Path, name: str | None) -> int | None:
    """The id of a control token of the model in a folder; None for none. `OptionError` for a name that it lacks."""
    if name is None:
        return None
    known = load_control_tokens(folder)
    if name not in known:
        there = f"it has {', '.join(map(printable, known))}" if known else "it was trained with none"
        raise OptionError(f"the model has no control token {name!r}: {there}")
    return known[name]
