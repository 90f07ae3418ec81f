"""`python -m host.pipeline fit`: a method's parameters for a model, as an artefact."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from host.model_option import add_model_option
from host.pipeline.artefact import save_artefact
from host.pipeline.commands.tensors import tensor_summary
from host.pipeline.fitting import REQUIRED
from host.pipeline.methods import Methods, is_fitted
from host.pipeline.stage import KINDS, Stage
from host.stage_options import add_methods_option
from models.checkpoint import load_model
from models.errors import OptionError
from models.model_hash import model_hash
from models.output import check_output_file

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser, with the options of all methods."""
    parser = commands.add_parser("fit", help="fit a method to a model", description="Fit a method to a model.")
    parser.add_argument("--kind", required=True, choices=KINDS)
    parser.add_argument("--method", required=True, metavar="M",
                        help=", ".join(f"{cls.method} ({cls.kind})" for cls in methods.values() if is_fitted(cls)))
    add_model_option(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="ARTEFACT")
    add_methods_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    users: dict[str, list[type[Stage]]] = defaultdict(list)
    for cls in methods.values():
        for name in cls.options if is_fitted(cls) else ():
            users[name].append(cls)
    group = parser.add_argument_group("options of the methods")
    for name, classes in users.items():
        files, several = (any(cls.options[name].type is kind for cls in classes) for kind in (Path, list))
        group.add_argument(f"--{name}", type=Path if files else str, metavar="FILE" if files else name[0].upper(),
                           action="append" if several else "store",
                           help="; ".join(_help(cls, name) for cls in classes), dest=f"method {name}")
    parser.set_defaults(run=lambda options: _run(options, methods, list(users)))


def _help(cls: type[Stage], name: str) -> str:
    option = cls.options[name]
    default = "" if option.default in (REQUIRED, None) else f" (default: {option.default})"
    return f"{cls.method}: {option.help}{default}".replace("%", "%%")


def _run(options: argparse.Namespace, methods: Methods, names: list[str]) -> None:
    cls = methods.get((options.kind, options.method))
    if cls is None:
        known = ", ".join(method for kind, method in methods if kind == options.kind)
        raise OptionError(f"unknown {options.kind} method {options.method!r}; known: {known}")
    given = {name: value for name in names if (value := getattr(options, f"method {name}")) is not None}
    values = _values(cls, given)
    check_output_file(options.output)
    model = load_model(options.model)
    tensors, details = cls.fit(model, **values)
    shapes, found = cls.shapes(model.config), {name: np.shape(array) for name, array in tensors.items()}
    if found != shapes:
        raise OptionError(f"{cls.method} fitted {found}, but an artefact of it holds {shapes}")
    how = {name: value.name if isinstance(value, Path) else value for name, value in values.items()} | dict(details)
    sites = [str(site) for site in cls.sites]
    save_artefact(options.output, cls.kind, cls.method, sites, tensors, model=model_hash(model), fit=how)
    if options.json:
        print(json.dumps({"kind": cls.kind, "method": cls.method, "sites": sites, "fit": how,
                          "tensors": tensor_summary(tensors.items()), "artefact": str(options.output)}))
    else:
        print(f"{cls.kind} by {cls.method} written to {options.output}")


def _values(cls: type[Stage], given: Mapping[str, object]) -> dict[str, object]:
    """The values of a method's options from those that the user gave."""
    mine = cls.options if is_fitted(cls) else {}
    for name in given:
        if name not in mine:
            raise OptionError(f"--{name} is no option of {cls.kind} by {cls.method}")
    values = {}
    for name, option in mine.items():
        if name not in given and option.default is REQUIRED:
            raise OptionError(f"{cls.kind} by {cls.method} needs --{name}: {option.help}")
        try:
            values[name] = option.type(given[name]) if name in given else option.default
        except ValueError:
            raise OptionError(f"--{name}: invalid {option.type.__name__} value: {given[name]!r}") from None
    return values
