"""Stop strings against a search in the whole text."""

import random

import pytest

from host.stop_strings import StopStrings, stop_ids
from host.text import Text
from models.config import DEMO
from models.errors import OptionError


def run(stops, pieces):
    """What is shown after each piece, and at the end."""
    stop, shown = StopStrings(stops), []
    for piece in pieces:
        shown.append(stop(piece))
        if stop.found is not None:
            return shown, stop.found
    return [*shown, stop.end()], None


def test_across_pieces():
    assert run(["</end>"], ["Hello", "<", "/e", "nd", "> more"]) == (["Hello", "", "", "", ""], "</end>")


def test_what_turns_out_to_be_no_stop_string_is_shown():
    assert run(["abcd"], ["xab", "c", "xy"]) == (["x", "", "abcxy", ""], None)
    assert run(["abcd"], ["xab", "c"]) == (["x", "", "abc"], None)


def test_a_start_within_a_start():
    assert run(["aab"], ["a", "a", "a", "b"]) == (["", "", "a", ""], "aab")


def test_the_first_to_come_counts():
    assert run(["world", "o w"], ["hello world"]) == (["hell"], "o w")


def test_nothing_is_shown_after_it():
    stop = StopStrings(["."])
    assert stop("a.b") == "a" and stop("c") == "" and stop.end() == ""


def test_no_stop_strings_withhold_nothing():
    assert run([], ["a", "", "b"]) == (["a", "", "b", ""], None)


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_of_a_text_gives_the_same(seed):
    random_ = random.Random(seed)
    for _ in range(50):
        text = "".join(random_.choices("ab", k=random_.randrange(30)))
        stops = ["".join(random_.choices("ab", k=random_.randrange(1, 5))) for _ in range(random_.randrange(3))]
        cuts = sorted(random_.choices(range(len(text) + 1), k=random_.randrange(10)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        shown, found = run(stops, pieces)
        ends = [at for stop in stops if (at := text.find(stop)) >= 0]
        # cut by pieces, a stop string is seen as soon as it is whole: before one that starts earlier and ends later
        if found is None:
            assert not ends and "".join(shown) == text
        else:
            assert text.startswith("".join(shown) + found) and not any(stop in "".join(shown) for stop in stops)


def test_an_empty_one_is_refused():
    with pytest.raises(OptionError, match="a stop string must not be empty"):
        StopStrings(["a", ""])


def test_names_of_special_tokens_are_ids():
    text = Text(DEMO)
    (name, token), *_ = text.special_tokens().items()
    assert text.is_special(token) and stop_ids([name, "and", name[:-1]], text) == {token}
    assert stop_ids([], text) == stop_ids(["and"], text) == set()
    for around in (f"a{name}", f"{name}a", name + name):
        with pytest.raises(OptionError, match="would never come: the special token .* in it is no part of the text"):
            stop_ids([name, around], text)
