"""JSON by a schema: what is forbidden, when it ends, what cannot be held."""

import json
import sys

import numpy as np
import pytest

from host.engine.logits import FORBIDDEN, LogitBias
from host.server.api_error import ApiError
from host.server.grammar_mask import Grammars
from host.text import Text
from models.checkpoint import load_model

SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x", "yes"]}, "b": {"type": "integer", "minimum": 0}},
          "required": ["a", "b"], "additionalProperties": False}
VOCAB = 2048


@pytest.fixture(scope="module")
def text():
    return Text(load_model("demo").folder)


@pytest.fixture
def grammars(text):
    return Grammars(text, VOCAB, [0])


def said(grammars, text, grammar, rng, bias=None, most=200):
    """What comes of random logits, with ids of a prompt in front."""
    mask, history = grammars.mask(grammar, 2, bias), [5, 6]
    while len(history) < most:
        logits = mask(rng.integers(0, 1 << 20, VOCAB), history)
        if logits.max() == FORBIDDEN:
            break
        history.append(int(logits.argmax()))
    assert mask.failed is None
    return text.decode(history[2:])


def test_whatever_is_likely_the_answer_is_of_the_schema(grammars, text, rng):
    grammar = grammars.of_format({"type": "json_schema", "json_schema": {"schema": SCHEMA}})
    for _ in range(20):
        found = json.loads(said(grammars, text, grammar, rng))
        assert list(found) == ["a", "b"] and found["a"] in ("x", "yes") and found["b"] >= 0


def test_any_object(grammars, text, rng):
    grammar = grammars.of_format({"type": "json_object"})
    close, = text.encode("}")
    assert said(grammars, text, grammar, rng, LogitBias({close: 100.0}, VOCAB)) == "{}"
    assert grammars.of_format({"type": "text"}) is None


def test_a_call_has_texts_around_it(grammars, text, rng):
    grammar = grammars.checked(grammars.of_call(SCHEMA, "<tool_call>\n", "\n</tool_call>"), "tools")
    found = said(grammars, text, grammar, rng)
    assert found.startswith('<tool_call>\n{"a": ') and found.endswith("}\n</tool_call>")


@pytest.mark.parametrize("schema", [{"type": "frog"}, {"not": {"type": "string"}}, {"$ref": "http://there.example/x"},
                                    {"type": "string", "pattern": "(?=a)b"}, {"enum": []}, {"allOf": 3}])
def test_what_cannot_be_held_is_refused(grammars, schema):
    with pytest.raises(ApiError, match="this JSON schema cannot be held: ") as caught:
        grammars.of_format({"type": "json_schema", "json_schema": {"schema": schema}})
    assert caught.value.status == 422


def test_without_the_library_it_says_what_to_install(grammars, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ApiError, match=r"pip install 'tritloom\[json\]'"):
        grammars.of_format({"type": "json_object"})


def test_a_grammar_that_fails_midway_ends_the_answer(grammars):
    mask = grammars.mask(grammars.of_schema(SCHEMA), 0)
    logits = mask(np.zeros(VOCAB, np.int64), [7])  # an id that it never allowed
    assert logits.max() == FORBIDDEN and mask.failed
