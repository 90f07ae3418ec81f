"""A chat template at work, in the process that contains it (`models.containment`): nothing of ours is imported here.

The environment is that of transformers: sandbox, `raise_exception`, `strftime_now`, `tojson`, loop controls and
`generation` blocks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["start"]


class TooLong(Exception):
    """A text beyond the limit."""


def start(setup: dict) -> Callable[[dict], str]:
    """setup: the `template`, and how many `characters` its text may have. Returns what renders its variables."""
    template, most = _compiled(setup["template"]), setup["characters"]

    def render(variables: dict) -> str:
        pieces, length = [], 0
        for piece in template.generate(**variables):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                raise TooLong(f"makes more than {most:,} characters")
        return "".join(pieces)

    return render


def _compiled(source: str) -> Template:
    try:
        return _environment().from_string(source)
    except TemplateSyntaxError as error:
        raise SyntaxError(f"template line {error.lineno}: {error.message}") from None
    except (MemoryError, RecursionError):  # Python's compiler has both for it
        raise SyntaxError("template: nested too deeply, or too large") from None
    except Exception as error:  # of the Python code that it becomes
        raise SyntaxError(f"template: {getattr(error, 'msg', error)}") from None


class _Generation(Extension):
    """`{% generation %}` marks what a model said, for training; here its contents are like any other."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _raise, "strftime_now": _now}
    return environment


def _raise(message: object) -> None:
    raise TemplateError(str(message))


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _to_json(value: object, ensure_ascii: bool = False, indent: int | None = None,
             separators: tuple[str, str] | None = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
