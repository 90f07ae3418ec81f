"""What a kind of input is, and the commands that are run on every model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import NamedTuple

__all__ = ["PROMPT", "Kind", "Step", "convert_step", "model_steps"]

PROMPT = "Then <|im_end|> the 12 naïve 😀\n  don't"
_CHAT = "Hello there\nMore, please?\n/quit\n"
_SMALL = ("--temperature", "0", "--threads", "1", "--json")


class Step(NamedTuple):
    """One command on a case: its module and options, run in the case's folder, and its standard input."""

    module: str
    options: tuple[str, ...]
    stdin: str = ""


class Kind(ABC):
    """Inputs of one kind, each a damaged variant of one that is right.

    Made with an empty folder, which is there as long as the kind is used.
    """

    @abstractmethod
    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        """Write the files of a case into `folder`; its steps are run in turn until one is refused.

        The same random numbers make the same case. damaged: False for one that is right, in which no step is refused.
        """


def convert_step(source: str) -> Step:
    """Conversion of `source` to the case's `out`."""
    return Step("models.convert", (source, "-o", "out", "--json"))


def model_steps(model: str) -> list[Step]:
    """Load, encode a text, generate two tokens; and the same for two turns of a chat."""
    return [Step("host.generate", ("--model", model, "--prompt", PROMPT, "-n", "2", *_SMALL)),
            Step("host.chat", ("--model", model, "-n", "2", *_SMALL), _CHAT)]
