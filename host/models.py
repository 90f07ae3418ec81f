"""Models by name: `python -m host.models` lists what `--model` finds without a path."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.byte_size import byte_size
from models.checkpoint import CHAT, TOKENIZER, load_generation
from models.checkpoint_writer import METADATA
from models.command import CommandParser, run_command
from models.config import SHIPPED, SHIPPED_LICENCE, ModelConfig
from models.errors import ModelError, OptionError, located, printable
from models.json_file import read_object
from models.store.converted import Entry, entries, find_entry, remove
from models.store.naming import model_folder

__all__ = ["main", "parser"]

_COLUMNS = ("name", "size", "shape", "licence", "used", "source")
_ALONE = 60  # columns of a terminal that the source leaves to the others


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser(
        "host.models", description="List the models that --model finds by a short name: those that come with the "
        "project, and those that were converted from a GGUF file, a Hugging Face folder or hf:ORG/NAME.",
        epilog="They lie in $TRITLOOM_CACHE, else ~/.cache/tritloom, in models/. What was downloaded lies in the "
               "hub's own cache: hf cache ls.")
    _add_json(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    one = actions.add_parser("show", help="all that is known of a model", description="Print what is known of a model.")
    one.add_argument("model", metavar="MODEL", help="a name of the list, or whatever --model takes")
    _add_json(one, default=argparse.SUPPRESS)
    gone = actions.add_parser("remove", help="take converted models out of the cache",
                              description="Remove converted models. What they were made from stays.")
    gone.add_argument("models", nargs="+", metavar="NAME", help="of the list, or a key")
    _add_json(gone, default=argparse.SUPPRESS)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.action == "show":
        found = _known(options.model)
        print(json.dumps(found) if options.json else "\n".join(_page(found)))
    elif options.action == "remove":
        _remove(options.models, quiet=options.json)
    else:
        rows = [_row(name, folder) for name, folder in SHIPPED.items()] + list(_converted())
        print(json.dumps({"models": rows}) if options.json else "\n".join(_table(rows)))


def _add_json(parser: argparse.ArgumentParser, **settings: object) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output", **settings)


def _converted() -> Iterator[dict[str, Any]]:
    for entry in entries():
        try:
            yield _row(entry.name, entry.folder, entry)
        except ModelError as error:  # of another version of this project, perhaps
            print(f"note: {entry.name} cannot be read, but removed: {error}", file=sys.stderr)


def _row(name: str, folder: Path, entry: Entry | None = None) -> dict[str, Any]:
    """What is known of a model in `folder`, of JSON's types; times in seconds since 1970."""
    made = read_object(folder / METADATA)
    with located(folder / METADATA):
        config = ModelConfig.from_json(made.get("config"))
    provenance = made.get("provenance", {})
    row: dict[str, Any] = {
        "name": name, "model": config.name, "folder": str(folder), "layers": config.layers,
        "hidden_size": config.hidden_size, "vocab_size": config.vocab_size, "context": config.context,
        "parameters": config.parameters, "license": provenance.get("license"), "sha256": provenance.get("sha256", {}),
        "weights": provenance.get("weights"), "generation": load_generation(folder), "provenance": provenance,
        "tokenizer": (folder / TOKENIZER).exists(), "chat": (folder / CHAT).exists()}
    if entry is None:
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        return row | {"key": None, "source": str(folder), "bytes": size, "converted": None, "used": None} | (
            {"license": SHIPPED_LICENCE} if name in SHIPPED else {})
    return row | {"key": entry.key, "source": entry.source, "bytes": entry.bytes, "converted": entry.made,
                  "used": entry.used}


def _known(name: str) -> dict[str, Any]:
    folder = model_folder(name)
    entry = next((entry for entry in entries() if entry.folder == folder), None)
    return _row(entry.name if entry else name, folder, entry)


def _remove(names: Sequence[str], *, quiet: bool) -> None:
    """All of them, or none where one is not there."""
    found = []
    for name in names:
        if name in SHIPPED:
            raise OptionError(f"{name} comes with the project: it cannot be removed")
        entry = find_entry(name)
        if entry is None:
            raise OptionError(f"no converted model is called {name}: tritloom models lists them")
        found.append(entry)
    sizes = {entry.name: entry.bytes for entry in found}
    for entry in found:
        remove(entry)
    if quiet:
        print(json.dumps({"removed": sizes}))
    else:
        print("\n".join(f"removed {name}: {byte_size(size)}" for name, size in sizes.items()))


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    cells = [_COLUMNS] + [(
        row["name"], byte_size(row["bytes"]), f"{row['layers']} × {row['hidden_size']}, {row['vocab_size']:,} words",
        row["license"] or "not said", _ago(row["used"]), _tail(row["source"], _room())) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield printable("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _page(row: dict[str, Any]) -> Iterator[str]:
    lines = {
        "model": row["model"], "name": row["name"], "source": row["source"], "folder": row["folder"],
        "licence": row["license"] or "not said",
        "shape": f"{row['layers']} × {row['hidden_size']} channels, {row['vocab_size']:,} words, context "
                 f"{row['context']:,}, {row['parameters']:,} weights",
        "weights": row["weights"] or "not said", "size": byte_size(row["bytes"]),
        "text": " and ".join(what for what, has in (("tokenizer", row["tokenizer"]), ("chat template", row["chat"]))
                             if has) or "token ids only",
        "sampling": ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row["generation"].items())
                    or "not said", "used": _ago(row["used"])}
    lines |= {f"sha256 {name}": value for name, value in row["sha256"].items()}
    lines |= {f"note {number}": note for number, note in enumerate(
        [*row["provenance"].get("assumed", []), *row["provenance"].get("notes", [])], 1)}
    if row["key"]:
        lines["key"] = row["key"]
    width = max(map(len, lines))
    return (printable(f"{name:{width}}  {value}") for name, value in lines.items())


def _ago(when: float | None) -> str:
    if when is None:
        return "–"
    seconds = max(0.0, time.time() - when)
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"


def _room() -> int:
    return max(20, shutil.get_terminal_size((160, 24)).columns - _ALONE)


def _tail(text: str, longest: int) -> str:
    """Of a long path the end, which tells more."""
    return text if len(text) <= longest else f"…{text[1 - longest:]}"


if __name__ == "__main__":
    run_command(main)
