"""What a model is called: by the folder or file that it came in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["chosen_name", "source_name"]

_CACHED = "models--"  # the hub's cache keeps ORG/NAME in models--ORG--NAME/snapshots/REVISION
_INSIDE = ("snapshots", "blobs")
_LONGEST = 200


def source_name(path: Path) -> str:
    """A name that tells the models at different paths apart; "" for the root of a file system.

    Of a hub's cache the repository's, wherever in it the path leads; else the last part of the path, of a file
    without its suffix. Links are followed to a folder, but not to a file: what a link to a blob is called says more.
    """
    file = not path.is_dir()
    place = path.parent.resolve() / path.name if file else path.resolve()
    for seen in (place, path.resolve()):
        for part, inside in zip(seen.parts, seen.parts[1:], strict=False):
            if part.startswith(_CACHED) and inside in _INSIDE:
                return part.removeprefix(_CACHED).partition("--")[2] or part.removeprefix(_CACHED)
    return place.stem if file else place.name


def chosen_name(candidates: Iterable[object]) -> str:
    """The first of them that is text with something in it, on one line and of a bearable length; else "model"."""
    for candidate in candidates:
        if isinstance(candidate, str) and (name := " ".join(candidate.split())):
            return name[:_LONGEST]
    return "model"
