"""Rules over propositions, as text and as numbers, and forward chaining: what follows from what holds.

A rule is a line, `CONDITION, CONDITION ... => CONCLUSION`; what follows a # is a comment.

    condition    [not] NAME          a concept at this token, or what another rule concludes
                 [not] so far NAME   a concept over the sequence up to this token
    conclusion   [not] NAME          a proposition: a new one, or a concept
                 steer [not] NAME    add the vector of a concept, or subtract it

Each proposition is true, false or unknown, and `not` asks for what is false, not for what is unknown. So chaining only
ever adds, ends for rules in a circle too, and gives the same in whatever order rules stand. **Contradictions**: what
comes out both true and false counts as unknown, and all is chained again without it, until nothing contradicts.
Source: ActivationReasoning, "Logical Reasoning in Latent Activation Spaces".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.errors import OptionError, printable

__all__ = ["ATOMS", "CONCEPTS", "DERIVED", "NOW", "RULES", "SO_FAR", "STEER", "Rules", "chain", "parse_rules"]

CONCEPTS, DERIVED, RULES = 8, 16, 32
"""Of an artefact at most; and of propositions that are no concepts."""

NOW, SO_FAR = slice(0, CONCEPTS), slice(CONCEPTS, 2 * CONCEPTS)
STEER = slice(2 * CONCEPTS + DERIVED, 3 * CONCEPTS + DERIVED)
"""Where among a token's propositions the concepts at it lie, those of the sequence so far, and what is steered."""

ATOMS = STEER.stop
"""Propositions of a token."""

_NAME = r"[^\W\d][\w.-]*"
_CONDITION = re.compile(rf"(not\s+)?(so\s+far\s+)?({_NAME})")
_CONCLUSION = re.compile(rf"(steer\s+)?(not\s+)?({_NAME})")
_WORDS = ("not", "so", "far", "steer")


class Rules(NamedTuple):
    """int8 [RULES, ATOMS] each, a rule a row, zeros where there is none. bodies: 1 for what must be true, -1 for what
    must be false; heads: one number other than zero, 1 for what becomes true, -1 false."""

    bodies: np.ndarray
    heads: np.ndarray


def parse_rules(text: str, concepts: Sequence[str], source: str) -> Rules:
    """Rules about named concepts. `OptionError`, with `source` and the line, for what is none; also for names that
    nothing gives a meaning to, and for rules that steer nowhere."""
    for name in concepts:
        if not re.fullmatch(_NAME, name) or name in _WORDS or list(concepts).count(name) > 1:
            raise OptionError(f"{printable(name)!r} cannot name a concept: names are letters, digits, _, . and -, each "
                              f"once, and none is {', '.join(_WORDS)}")
    if len(concepts) > CONCEPTS:
        raise OptionError(f"there may be {CONCEPTS} concepts at most, got {len(concepts)}")
    lines = [(number, line) for number, whole in enumerate(text.splitlines(), 1)
             if (line := whole.partition("#")[0].strip())]
    parts = [_parts(line, f"{source}, line {number}") for number, line in lines]
    derived = list(dict.fromkeys(name for _, (steer, _, name) in parts if not steer and name not in concepts))
    if len(lines) > RULES or len(derived) > DERIVED:
        raise OptionError(f"{source}: there may be {RULES} rules that conclude {DERIVED} new propositions, got "
                          f"{len(lines)} and {len(derived)}")
    rules = Rules(*np.zeros((2, RULES, ATOMS), np.int8))
    for index, ((number, _), (body, (steer, negated, name))) in enumerate(zip(lines, parts, strict=True)):
        where = f"{source}, line {number}"
        for off, so_far, condition in body:
            atom = _atom(condition, so_far, concepts, derived, where)
            if rules.bodies[index, atom] == (1 if off else -1):
                raise OptionError(f"{where}: {condition!r} cannot both hold and not")
            rules.bodies[index, atom] = -1 if off else 1
        if steer and name not in concepts:
            raise OptionError(f"{where}: there is no concept {printable(name)!r} to steer to; known: "
                              f"{', '.join(concepts)}")
        head = STEER.start + concepts.index(name) if steer else _atom(name, False, concepts, derived, where)
        rules.heads[index, head] = -1 if negated else 1
    if not rules.heads[:, STEER].any():
        raise OptionError(f"{source}: no rule steers: expected one with the conclusion steer NAME")
    return rules


def chain(rules: Rules, facts: np.ndarray, *, rounds: int | None = None) -> np.ndarray:
    """What holds, int8 [tokens, ATOMS], where `facts` hold: 1 true, -1 false, 0 unknown.

    rounds: how often all rules are applied at once; None: until nothing more follows.
    """
    barred = np.zeros(facts.shape, bool)
    while True:
        true, false = _closure(rules, facts, barred, rounds)
        both = true & false
        if not both.any():
            return true.astype(np.int8) - false.astype(np.int8)
        barred |= both


def _closure(rules: Rules, facts: np.ndarray, barred: np.ndarray, rounds: int | None
             ) -> tuple[np.ndarray, np.ndarray]:
    """What is true and what is false, bool [tokens, ATOMS], with nothing said of what is barred."""
    bodies, heads = rules.bodies.astype(np.int64), rules.heads.astype(np.int64)
    held = (facts > 0) & ~barred, (facts < 0) & ~barred
    done = 0
    while rounds is None or done < rounds:
        true, false = held
        missing = ~true @ (bodies.T > 0).astype(np.int64) + ~false @ (bodies.T < 0).astype(np.int64)
        fires = ((missing == 0) & heads.any(axis=1)).astype(np.int64)
        held = true | ((fires @ (heads > 0) > 0) & ~barred), false | ((fires @ (heads < 0) > 0) & ~barred)
        if np.array_equal(held, (true, false)):
            break
        done += 1
    return held


def _parts(line: str, where: str) -> tuple[list[tuple[bool, bool, str]], tuple[bool, bool, str]]:
    """A rule's conditions (negated, so far, name) and its conclusion (steer, negated, name)."""
    body, arrow, head = line.partition("=>")
    conditions = [_CONDITION.fullmatch(item.strip()) for item in body.split(",")]
    conclusion = _CONCLUSION.fullmatch(head.strip())
    names = [match[3] for match in (*conditions, conclusion) if match]
    if not arrow or len(names) != len(conditions) + 1 or any(name in _WORDS for name in names):
        raise OptionError(f"{where}: expected CONDITION, ... => CONCLUSION, found {printable(line)!r}")
    assert conclusion is not None
    return ([(bool(match[1]), bool(match[2]), match[3]) for match in conditions if match],
            (bool(conclusion[1]), bool(conclusion[2]), conclusion[3]))


def _atom(name: str, so_far: bool, concepts: Sequence[str], derived: Sequence[str], where: str) -> int:
    if name in concepts:
        return (SO_FAR if so_far else NOW).start + concepts.index(name)
    if so_far or name not in derived:
        what = "only concepts hold over the sequence so far" if name in derived else "no rule concludes it"
        raise OptionError(f"{where}: unknown concept {printable(name)!r}: {what}; concepts: {', '.join(concepts)}")
    return 2 * CONCEPTS + derived.index(name)
