"""Rules are read, followed to where nothing more follows, and do not trip over circles and contradictions."""

import itertools

import numpy as np
import pytest

from host.pipeline.steering.rules import ATOMS, CONCEPTS, DERIVED, NOW, RULES, SO_FAR, STEER, Rules, chain, parse_rules
from models.errors import OptionError

NAMES = ["hot", "cold", "wet"]


def steered(text, rounds=None, **facts):
    """The signs of `NAMES` that are steered to; facts: of a concept, or with far_ in front over the sequence."""
    held = np.zeros((1, ATOMS), np.int8)
    for name, value in facts.items():
        places = SO_FAR if name.startswith("far_") else NOW
        held[0, places.start + NAMES.index(name.removeprefix("far_"))] = value
    return chain(parse_rules(text, NAMES, "rules"), held, rounds=rounds)[0, STEER][:len(NAMES)].tolist()


def test_a_rule_asks_for_all_its_conditions():
    text = "hot, not wet => steer cold"
    assert steered(text, hot=1, wet=-1) == [0, 1, 0]
    for facts in ({"hot": 1, "wet": 1}, {"hot": 1}, {"wet": -1}, {"hot": -1, "wet": -1}, {}):
        assert steered(text, **facts) == [0, 0, 0], facts


def test_a_token_and_its_sequence_are_propositions_of_their_own():
    text = "so far hot, not cold => steer not hot  # away from it\n\n# nothing here"
    assert steered(text, far_hot=1, cold=-1) == [-1, 0, 0]
    assert steered(text, hot=1, cold=-1) == steered(text, far_hot=1, far_cold=-1) == [0, 0, 0]


def test_rules_are_chained_in_whatever_order_they_stand():
    lines = ["hot => a", "a => b", "b, so far wet => c", "c => steer wet"]
    for order in itertools.permutations(lines):
        assert steered("\n".join(order), hot=1, far_wet=1) == [0, 0, 1]
    backwards = "\n".join(reversed(lines))
    assert [steered(backwards, rounds, hot=1, far_wet=1)[2] for rounds in range(6)] == [0, 0, 0, 0, 1, 1]


def test_a_circle_ends():
    text = "hot => a\na => b\nb => a\nb => steer hot\nnot wet => steer wet\nwet => steer wet"
    assert steered(text, hot=1) == [1, 0, 0]
    assert steered(text) == [0, 0, 0], "a circle does not hold itself up"


def test_what_is_true_and_false_is_unknown_and_nothing_follows_from_it():
    text = "hot => a\nwet => not a\na => steer hot\nnot a => steer wet\nhot => steer cold"
    assert steered(text, hot=1) == [1, 1, 0] and steered(text, wet=1) == [0, 0, 1]
    assert steered(text, hot=1, wet=1) == [0, 1, 0]
    assert steered("hot => steer wet\ncold => steer not wet", hot=1, cold=1) == [0, 0, 0]
    assert steered("hot => not cold\ncold => steer hot", hot=1, cold=1) == [0, 0, 0], "so does what was seen"


def test_a_contradiction_that_rests_on_another_goes_with_it():
    disputed = "hot => a\nwet => not a\na => b\nnot a => not b\nb => steer hot\nnot b => steer wet"
    assert steered(f"{disputed}\nhot => c\nc => steer cold", hot=1, wet=1) == [0, 1, 0]


def test_rows_do_not_meet():
    rules = parse_rules("hot => a\nwet => not a\na => steer hot", NAMES, "rules")
    facts = np.zeros((3, ATOMS), np.int8)
    facts[:, 0], facts[1, 2] = (1, 1, -1), 1
    assert chain(rules, facts)[:, STEER.start].tolist() == [1, 0, 0]


def test_a_rule_may_conclude_a_concept():
    assert steered("hot, wet => cold\ncold => steer cold", hot=1, wet=1) == [0, 1, 0]


@pytest.mark.parametrize("text, complaint", [
    ("hot steer cold", "rules, line 1: expected CONDITION, ... => CONCLUSION, found 'hot steer cold'"),
    ("# one\nhot => ", "rules, line 2: expected CONDITION"), ("=> steer hot", "line 1: expected CONDITION"),
    ("hot, => steer hot", "line 1: expected CONDITION"), ("hot => steer", "line 1: expected CONDITION"),
    ("hot => a => steer hot", "line 1: expected CONDITION"), ("so hot => steer hot", "line 1: expected CONDITION"),
    ("hot => so far cold", "line 1: expected CONDITION"), ("hot & wet => steer hot", "line 1: expected CONDITION"),
    ("dry => steer hot", "line 1: unknown concept 'dry': no rule concludes it; concepts: hot, cold, wet"),
    ("hot => a\nso far a => steer hot", "line 2: unknown concept 'a': only concepts hold over the sequence"),
    ("hot => steer dry", "line 1: there is no concept 'dry' to steer to; known: hot, cold, wet"),
    ("hot, not hot => steer hot", "line 1: 'hot' cannot both hold and not"),
    ("hot => a", "rules: no rule steers"), ("", "rules: no rule steers"),
    ("\n".join(["hot => steer hot"] * (RULES + 1)), f"there may be {RULES} rules"),
    ("\n".join(f"hot => a{index}" for index in range(DERIVED + 1)), f"conclude {DERIVED} new propositions"),
])
def test_what_is_no_rule_is_refused_in_a_line(text, complaint):
    with pytest.raises(OptionError) as error:
        parse_rules(text, NAMES, "rules")
    assert complaint in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("names", [["a b"], ["steer"], ["a", "a"], [""], ["1"]])
def test_what_cannot_name_a_concept_is_refused(names):
    with pytest.raises(OptionError, match="cannot name a concept"):
        parse_rules("a => steer a", names, "rules")
    with pytest.raises(OptionError, match=f"{CONCEPTS} concepts at most"):
        parse_rules("a0 => steer a0", [f"a{index}" for index in range(CONCEPTS + 1)], "rules")


def test_rules_are_numbers():
    rules = parse_rules("hot => steer not wet", NAMES, "rules")
    assert isinstance(rules, Rules) and rules.bodies.shape == rules.heads.shape == (RULES, ATOMS)
    assert rules.bodies[0, 0] == 1 and rules.heads[0, STEER.start + 2] == -1
    assert np.count_nonzero(rules.bodies) == np.count_nonzero(rules.heads) == 1
