"""What an audit is: one question about a model or a direction, with its options, its answer and its page.

An audit changes nothing. Its figures come from the exact emulator, on text that nothing was fitted to; beside each
stands the control that would show it to be worth nothing.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from host.model_option import add_model_option
from models.errors import OptionError

__all__ = ["Audit", "add_model", "add_model_and_text", "at_least", "find_audits"]


class Audit(ABC):
    """A question. `python -m host.pipeline audit NAME` asks it: a subclass in a file of this folder is found there."""

    name: ClassVar[str]
    """The command's word."""
    summary: ClassVar[str]
    """A line of the list of audits."""
    description: ClassVar[str]
    """What its help begins with: what is measured, against what, by which source."""

    @staticmethod
    @abstractmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Its options; `--json` is the command's own."""

    @staticmethod
    @abstractmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """What was found, of JSON's types. `OptionError` for options that are of no use."""

    @staticmethod
    @abstractmethod
    def page(found: dict[str, Any]) -> str:
        """The answer in Markdown, for the terminal and for docs/audits.md."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model`, the option of every audit of a model."""
    add_model_option(parser)


def add_model_and_text(parser: argparse.ArgumentParser, tokens: int) -> None:
    """The options of an audit that looks at a text: `--model`, `--text` and `--tokens`."""
    add_model(parser)
    parser.add_argument("--text", required=True, metavar="FILE")
    parser.add_argument("--tokens", type=int, default=tokens, help="tokens of it to look at (default: %(default)s)")


def at_least(options: argparse.Namespace, **least: int) -> None:
    """Refuses options that are below what they must be at least: `at_least(options, tokens=1)`."""
    for name, lowest in least.items():
        if (given := getattr(options, name)) < lowest:
            raise OptionError(f"--{name.replace('_', '-')} must be at least {lowest}, got {given}")


def find_audits() -> dict[str, type[Audit]]:
    """Every audit of this package, by its name, in order."""
    package = importlib.import_module(__package__ or "")
    modules = [importlib.import_module(f"{package.__name__}.{item.name}")
               for item in pkgutil.iter_modules(package.__path__)]
    found = [cls for module in modules for _, cls in inspect.getmembers(module, inspect.isclass)
             if issubclass(cls, Audit) and cls.__module__ == module.__name__ and not inspect.isabstract(cls)]
    return {audit.name: audit for audit in sorted(found, key=lambda audit: audit.name)}
