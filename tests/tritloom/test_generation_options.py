"""Options of generation by our names and by others'."""

import pytest

from models.errors import OptionError
from tritloom.generation_options import ALIASES, GenerationOptions


def test_others_names_are_ours():
    ours = GenerationOptions().changed({"n": 7, "repeat_penalty": 1.2, "stop": "x", "speculate": 3, "temperature": 0})
    theirs = GenerationOptions().changed({"max_new_tokens": 7, "repetition_penalty": 1.2, "stop_strings": "x",
                                          "prompt_lookup_num_tokens": 3, "do_sample": False})
    assert ours == theirs and ours.stops() == ["x"] and ours.drafts().drafts == 3
    assert GenerationOptions().changed({"max_tokens": 7}).n == 7 and set(ALIASES.values()) <= set(vars(ours))


def test_a_call_changes_only_what_it_names():
    defaults = GenerationOptions(temperature=0.2, n=5)
    assert defaults.changed({"do_sample": True, "seed": 4}) == GenerationOptions(temperature=0.2, n=5, seed=4)
    assert defaults.sampler() is not defaults.sampler()


@pytest.mark.parametrize("given, complaint", [
    ({"beams": 4}, "unknown option beams; known: magic, "), ({"n": 3, "max_new_tokens": 4}, "max_new_tokens is n"),
    ({"do_sample": False, "temperature": 0.5}, "do_sample=False is a temperature of 0"),
    ({"top_p": 0}, "top p must be in"), ({"repetition_penalty": -1.0}, "repeat penalty must be positive")])
def test_bad_options_are_one_line(given, complaint):
    with pytest.raises(OptionError, match=complaint) as error:
        GenerationOptions().changed(given)
    assert "\n" not in str(error.value)
