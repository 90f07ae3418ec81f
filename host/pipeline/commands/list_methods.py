"""`python -m host.pipeline list`: the methods there are."""

from __future__ import annotations

import argparse
import json
from typing import Any

from host.pipeline.fitting import REQUIRED, FitOption
from host.pipeline.methods import Methods, is_fitted
from host.pipeline.stage import Stage
from host.stage_options import add_methods_option

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser."""
    parser = commands.add_parser("list", help="the methods there are", description="The methods there are.")
    add_methods_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=lambda options: _run(options, methods))


def _run(options: argparse.Namespace, methods: Methods) -> None:
    rows: list[dict[str, Any]] = [
        {"kind": kind, "method": name, "order": cls.order.name.lower(), "sites": [str(site) for site in cls.sites],
         "fitted": is_fitted(cls), "about": _about(cls),
         "options": {option: _described(item) for option, item in cls.options.items() if is_fitted(cls)}}
        for (kind, name), cls in methods.items()]
    if options.json:
        print(json.dumps({"methods": rows}))
        return
    for row in rows:
        given = "".join(f" --{name}" for name in row["options"]) or " nothing to choose"
        print(f"{row['kind']} by {row['method']}, at {', '.join(row['sites'])}\n    {row['about']}\n    "
              + ("nothing to fit" if not row["fitted"] else f"fitted with{given}"))


def _about(cls: type[Stage]) -> str:
    return " ".join(line.strip() for line in (cls.__doc__ or "").strip().partition("\n\n")[0].splitlines())


def _described(option: FitOption) -> dict[str, object]:
    required = option.default is REQUIRED
    return {"about": option.help, "required": required, "default": None if required else option.default}
