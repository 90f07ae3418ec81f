"""What a comparison of steering methods works on: texts to fit on, others to judge by, prompts and windows held out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering_bench.judge import Judge
from host.pipeline.texts import spread
from host.text import Text
from models.checkpoint import Model
from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["PROMPT_TOKENS", "Material", "Side", "alternate_blocks", "body", "read_material", "sentences"]

PROMPT_TOKENS = 24  # the start of the text among them
_BLOCK = 20_000  # characters that are fitted on, then as many that are judged by
_SENTENCE = re.compile(r"(?<=[.!?:]\s)\w")


class Side(NamedTuple):
    """Held-out text of a manner. name: of its file; prompts: int [prompts, tokens]; windows: int [windows, tokens] to
    measure perplexity on; log_odds: what the judge gives the text itself, per word."""

    name: str
    prompts: np.ndarray
    windows: np.ndarray
    log_odds: float


class Material(NamedTuple):
    """contrast: what methods are fitted on. judge: fitted on text that they are not. accuracy: the judge's on held-out
    text, toward and away."""

    contrast: Contrast
    judge: Judge
    toward: Side
    away: Side
    accuracy: tuple[float, float]


def read_material(model: Model, toward: Path, away: Path, held_out: tuple[Path, Path], *, prompts: int, windows: int,
                  tokens: int) -> Material:
    """From two texts, and two held-out ones in the same manners. `OptionError` for texts that are of no use.

    Blocks of the first two go to fitting and to the judge in turns. tokens: of each text that is fitted on.
    """
    text = Text(model.folder)
    halves = [alternate_blocks(read_text_file(path)) for path in (toward, away)]
    judge = Judge(halves[0][1], halves[1][1])
    ids = [spread(text.encode(fitted), tokens, model.config.context) for fitted, _ in halves]
    bodies = [body(read_text_file(path)) for path in held_out]
    for path, found in zip((toward, away), ids, strict=True):
        if len(found) < min(tokens, model.config.context):
            raise OptionError(f"{path} is too short to fit on: {len(found)} tokens")
    if ids[0] == ids[1]:
        raise OptionError(f"{toward} and {away} do not differ: nothing leads from one to the other")
    sides = [_side(text, model, path, found, judge, prompts, windows)
             for path, found in zip(held_out, bodies, strict=True)]
    return Material(Contrast(model, ids[0], ids[1], (toward.stem, away.stem)), judge, sides[0], sides[1],
                    judge.accuracy(bodies[0], bodies[1]))


def alternate_blocks(text: str) -> tuple[str, str]:
    """The even and the odd blocks of a text; a short text makes at least two."""
    size = min(_BLOCK, -(-len(text) // 2))
    blocks = [text[start:start + size] for start in range(0, len(text), max(size, 1))]
    return "".join(blocks[::2]), "".join(blocks[1::2])


def body(text: str) -> str:
    """A text without a twentieth at either end: front matter, an editor's remarks."""
    margin = len(text) // 20
    return text[margin:len(text) - margin]


def sentences(text: str, count: int, *, characters: int = 240) -> list[str]:
    """`count` passages that open with a sentence, evenly spread over the text."""
    starts = [m.start() for m in _SENTENCE.finditer(text, 0, max(len(text) - characters, 0))]
    if len(starts) < count:
        raise OptionError(f"a held-out text has {len(starts)} sentences, and {count} prompts were asked for")
    return [text[starts[i]:starts[i] + characters] for i in np.linspace(0, len(starts) - 1, count).astype(int)]


def _side(text: Text, model: Model, path: Path, content: str, judge: Judge, prompts: int, windows: int) -> Side:
    size = model.config.context // 2
    ids = spread(text.encode(content), windows * size, size)
    if len(ids) < windows * size:
        raise OptionError(f"{path} is too short for {windows} windows of {size} tokens")
    heads = [_head(text, passage) for passage in sentences(content, prompts)]
    return Side(path.stem, np.array(heads), np.reshape(ids, (windows, size)), judge.log_odds_per_word(content))


def _head(text: Text, passage: str) -> Sequence[int]:
    return (text.before + text.encode(passage))[:PROMPT_TOKENS]
