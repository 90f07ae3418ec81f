"""Damage of JSON files: values replaced, removed, doubled or moved anywhere in the tree, and the text around them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random

from scripts.verify.fuzz.damage.raw import NUMBERS, TEXTS, damage_bytes, damage_text

__all__ = ["damage_json", "damage_value", "json_bytes", "strange_value"]

_DEEP = 100_000
_LONG_NUMBER = "9" * 5000
_RAW = "RAW\N{REPLACEMENT CHARACTER}"  # stands in the tree for a text that is no JSON value


def strange_value(rng: Random) -> object:
    """A JSON value of any type, seldom an expected one."""
    return rng.choice((
        lambda: rng.choice(NUMBERS), lambda: rng.choice(TEXTS), lambda: rng.choice((None, True, False)),
        lambda: rng.choice((0.5, -0.0, 1e-300, 1e308, 1e39, float("nan"), float("inf"), float("-inf"), 10**30)),
        lambda: rng.choice(([], [1], [[]], [None], ["a", 1], [0] * 2000, {}, {"a": 1}, {"": {}}, {"content": 3}))))()


def _places(node: object) -> Iterator[tuple[dict | list, str | int]]:
    """Every (container, key) of a tree."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def damage_value(value: object, rng: Random, fragment: Callable[[Random], object] = strange_value) -> object:
    """A changed copy of a tree. fragment: gives values of the kind that the format has, to be put in anywhere."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(value)) if isinstance(value, dict | list) else []
        if not places:
            return fragment(rng)
        # containers first, sometimes: in a vocabulary of hundreds of entries the others would never be hit
        large = [place for place in places if isinstance(place[0][place[1]], dict | list)]
        node, key = rng.choice(large if large and rng.random() < 0.3 else places)
        _damage_place(node, key, places, rng, fragment)
    return value


def _damage_place(node: dict | list, key: str | int, places: list, rng: Random,
                  fragment: Callable[[Random], object]) -> None:
    old = node[key]
    match rng.randrange(9):
        case 0:
            del node[key]
        case 1:
            node[key] = copy.deepcopy(rng.choice(places)[0])
        case 2 if isinstance(node, dict):
            node[rng.choice([*node, damage_text(str(key), rng)])] = copy.deepcopy(old)
        case 2:
            node[key:key] = [copy.deepcopy(old)] * rng.choice((1, 2, 100))
        case 3:
            node[key] = rng.choice(([old], {"a": old}, [old, old], str(old), [[[old]]]))
        case 4 | 5:
            node[key] = _near(old, rng)
        case 6:
            node[key] = fragment(rng)
        case _:
            node[key] = strange_value(rng)


def _near(value: object, rng: Random) -> object:
    """A value of the same type, or almost."""
    match value:
        case bool():
            return rng.choice((not value, int(value), str(value)))
        case int():
            return rng.choice((value + 1, value - 1, value * 2, value // 2, -value, value + 0.5, str(value)))
        case float():
            return rng.choice((value * 2, -value, 0.0, value * 1e30, value * 1e-30, str(value)))
        case str():
            return damage_text(value, rng)
        case list():
            return rng.choice((value[::-1], value * 2, value[:1], value[1:], sorted(map(str, value))))
        case dict():
            keys = list(value)
            rng.shuffle(keys)
            return rng.choice((dict.fromkeys(keys), {key: value[key] for key in keys}, keys, list(value.values())))
    return strange_value(rng)


def json_bytes(value: object) -> bytes:
    """JSON as files hold it; a lone surrogate, which UTF-8 cannot hold, is written as its escape."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def damage_json(value: object, rng: Random, fragment: Callable[[Random], object] = strange_value) -> bytes:
    """A variant of a JSON file: of its values mostly, sometimes of its text."""
    if rng.random() < 0.85:
        return json_bytes(damage_value(value, rng, fragment))
    data = json_bytes(value)
    match rng.randrange(9):
        case 0:
            return b"\xef\xbb\xbf" + data
        case 1:
            return data.decode().encode("utf-16")
        case 2:
            return rng.choice((b"[" * _DEEP, b'{"a":' * _DEEP, b"", b"null", b"[]", b"{}", b"1", b'"x"', b"\x00" * 100))
        case 3:
            return _put(value, rng, rng.choice(("[" * _DEEP + "]" * _DEEP, '{"a":' * 990 + "1" + "}" * 990)))
        case 4:
            return _put(value, rng, rng.choice((_LONG_NUMBER, f"1e{_LONG_NUMBER}", "NaN", "-Infinity", "01", "0x1")))
        case 5:  # a key twice
            return data[:-1] + b"," + data[1:] if data.startswith(b"{") else data * 2
        case 6:
            return data.decode().encode("latin-1", errors="replace")
        case _:
            return damage_bytes(data, rng)


def _put(value: object, rng: Random, text: str) -> bytes:
    """The file with `text` as it is in the place of one value."""
    value = copy.deepcopy(value)
    places = list(_places(value)) if isinstance(value, dict | list) else []
    if not places:
        return text.encode()
    node, key = rng.choice(places)
    node[key] = _RAW
    return json_bytes(value).replace(json.dumps(_RAW, ensure_ascii=False).encode(), text.encode())
