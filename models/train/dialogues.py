"""Dialogues of a novel as conversations: consecutive paragraphs of direct speech are turns of two speakers.

A paragraph is a turn where most of it stands between double quotes; what the narrator says between ("said Emma") is
left out. A quotation that its paragraph leaves open goes on in the next, as printers have it. Anything else between two
turns ends the conversation, and is the scene of the next one if it stands right before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["LONGEST_TURN", "Dialogue", "dialogues"]

LONGEST_TURN = 320
"""Characters of a turn: what goes beyond is cut at the end of a sentence."""

_LONGEST_SCENE = 400  # characters
_SPOKEN = 0.5  # of a paragraph's characters, at least
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"""(?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bSt)[.!?]'?(?=\s)""")


@dataclass
class Dialogue:
    """turns: what two speakers say in turn, two or more. scene: the narration before the first, "" for none."""

    scene: str = ""
    turns: list[str] = field(default_factory=list)


def dialogues(text: str) -> Iterator[Dialogue]:
    """The dialogues of a text, in order."""
    found, open_, scene = Dialogue(), False, ""
    for paragraph in _PARAGRAPH.split(text):
        plain = " ".join(paragraph.replace("_", "").split())
        speech = _speech(plain)
        if speech and open_ and found.turns and plain.startswith('"'):
            found.turns[-1] += " " + speech
        elif speech:
            found = found if found.turns else Dialogue(scene)
            found.turns.append(speech)
        else:
            yield from _whole(found)
            found, scene = Dialogue(), plain if 0 < len(plain) <= _LONGEST_SCENE and '"' not in plain else ""
        open_ = plain.count('"') % 2 == 1
    yield from _whole(found)


def _speech(paragraph: str) -> str:
    """What is spoken in a paragraph, "" where that is not most of it."""
    parts = [part.strip() for part in paragraph.split('"')]
    spoken = ""
    for at in range(1, len(parts), 2):
        between = parts[at + 1] if at + 1 < len(parts) else ""
        closes = parts[at].endswith(",") and between.endswith((".", "?", "!"))  # the comma stood before "said Emma."
        spoken += f" {parts[at][:-1]}." if closes else f" {parts[at]}"
    spoken = " ".join(spoken.split())
    return spoken if len(spoken) >= _SPOKEN * len(paragraph) else ""


def _whole(dialogue: Dialogue) -> Iterator[Dialogue]:
    if len(dialogue.turns) >= 2:
        yield Dialogue(dialogue.scene, [_shortened(turn) for turn in dialogue.turns])


def _shortened(turn: str) -> str:
    if len(turn) <= LONGEST_TURN:
        return turn
    ends = [end.end() for end in _SENTENCE.finditer(turn, 0, LONGEST_TURN + 1)]
    return turn[:ends[-1]] if ends else turn[:turn.rindex(" ", 0, LONGEST_TURN)] + "..."
